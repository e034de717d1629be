import lightning
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader


class Digits(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = nn.Linear(64, 10).double()

    def training_step(self, batch):
        x, y = batch
        return cross_entropy(self.model(x), y, label_smoothing=0.1)

    def validation_step(self, batch):
        x, y = batch
        self.log("hard_loss", cross_entropy(self.model(x), y))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


torch.manual_seed(0)
x, y = map(torch.tensor, load_digits(return_X_y=True))
trainer = lightning.Trainer(
    max_epochs=200,
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    enable_model_summary=False,
    enable_progress_bar=False,
)
trainer.fit(
    Digits(),
    DataLoader([(x[:1200], y[:1200])], batch_size=None),
    DataLoader([(x[1200:], y[1200:])], batch_size=None),
)
print(f"hard loss  {trainer.callback_metrics['hard_loss']:.3f}")
