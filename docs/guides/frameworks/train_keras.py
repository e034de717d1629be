import os

os.environ["KERAS_BACKEND"] = "torch"
import keras
import torch
from sklearn.datasets import load_digits
from torch.nn.functional import cross_entropy

keras.utils.set_random_seed(0)
x, y = load_digits(return_X_y=True)
one_hot = keras.utils.to_categorical(y)
smoothed = keras.losses.CategoricalCrossentropy(
    from_logits=True, label_smoothing=0.1
)
hard = keras.metrics.CategoricalCrossentropy(
    "hard_loss", from_logits=True
)
model = keras.Sequential([keras.layers.Dense(10)])
model.compile(keras.optimizers.Adam(0.01), smoothed, metrics=[hard])
model.fit(x[:1200], one_hot[:1200], 1200, epochs=200, verbose=0)
found = model.evaluate(
    x[1200:], one_hot[1200:], return_dict=True, verbose=0
)
z = torch.tensor(model.predict(x[1200:], verbose=0))
in_torch = cross_entropy(
    z, torch.tensor(y[1200:]), label_smoothing=0.1
)
print(f"smoothed loss  {found['loss']:.2f}")
print(f"in PyTorch     {in_torch:.2f}")
print(f"hard loss      {found['hard_loss']:.2f}")
