import torch
import transformers
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy


class Digits(nn.Linear):
    config = transformers.PreTrainedConfig()

    def forward(self, x, labels=None):
        return {"logits": super().forward(x)}


def metrics(predicted):
    z, y = map(torch.tensor, predicted)
    return {
        "in_torch": cross_entropy(z, y, label_smoothing=0.1).item(),
        "hard_loss": cross_entropy(z, y).item(),
    }


torch.manual_seed(0)
x, y = load_digits(return_X_y=True)
rows = [{"x": pixels, "labels": k} for pixels, k in zip(x, y)]
trainer = transformers.Trainer(
    Digits(64, 10).double(),
    transformers.TrainingArguments(
        label_smoothing_factor=0.1,
        learning_rate=0.01,
        num_train_epochs=10,
        per_device_train_batch_size=100,
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
    ),
    train_dataset=rows[:1200],
    eval_dataset=rows[1200:],
    compute_metrics=metrics,
)
trainer.remove_callback(transformers.PrinterCallback)
trainer.train()
found = trainer.evaluate()
print(f"smoothed loss  {found['eval_loss']:.3f}")
print(f"in PyTorch     {found['eval_in_torch']:.3f}")
print(f"hard loss      {found['eval_hard_loss']:.3f}")
