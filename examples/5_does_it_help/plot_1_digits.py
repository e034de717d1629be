"""
Digits, with smoothing and without
==================================

A small network learns to read handwritten digits, each time with another smoothing. With
it the network reads better, and is worse at telling how sure it is. The script takes
scikit-learn and torchmetrics besides this package.
"""

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from scipy.stats import t
from sklearn.datasets import load_digits
from torch import nn
from torchmetrics.functional.classification import multiclass_calibration_error

from label_smoothing import figures, optimal_logit_gap

digits = load_digits()
x = torch.from_numpy(digits.data) / 16
y = torch.from_numpy(digits.target)
order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
train, test = order.chunk(2)
print(f"{len(train)} images to train on, {len(test)} to test on")

# %%
# One network for each smoothing and each seed. They compute in double precision, so that
# what is printed does not depend on the order of a sum.


def fit(smoothing, seed):
    """Return a network with two hidden layers."""
    torch.manual_seed(seed)
    layers = nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU()
    model = nn.Sequential(*layers, nn.Linear(64, 10)).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(120):
        optimizer.zero_grad()
        logits = model(x[train])
        F.cross_entropy(logits, y[train], label_smoothing=smoothing).backward()
        optimizer.step()
    return model.requires_grad_(False)


smoothings, seeds = (0.0, 0.05, 0.1, 0.2), range(5)
models = {e: [fit(e, seed) for seed in seeds] for e in smoothings}

# %%
# Calibration
# -----------
# A network is calibrated if it is right as often as it says. **Without smoothing this one
# says a little too much; with it, far too little.** Every dot below the diagonal is too
# sure, every dot above it not sure enough; the line through it is the interval of Wilson.

figure = figures.reliability(models[0.0][0](x[test]), y[test])

# %%
# The same with smoothing:

figure = figures.reliability(models[0.1][0](x[test]), y[test])

# %%
# One network proves little. Here are the means over the seeds, with the interval of
# Student's t around them, up to its :given:`0.975 := t.ppf(0.975` quantile: of what is
# right, and of the calibration error.


def interval(values):
    """Return the mean of what the seeds gave, and the interval around it."""
    values = torch.tensor(values, dtype=torch.float64)
    factor = t.ppf(0.975, len(values) - 1) / len(values) ** 0.5
    mean, half = float(values.mean()), float(factor * values.std())
    return {"mean": mean, "low": mean - half, "high": mean + half}


right, error = {}, {}
for e in smoothings:
    logits = [model(x[test]) for model in models[e]]
    right[f"ε = {e}"] = interval(
        [(z.argmax(1) == y[test]).double().mean() for z in logits]
    )
    error[f"ε = {e}"] = interval(
        [
            multiclass_calibration_error(z.softmax(1), y[test], 10, n_bins=15)
            for z in logits
        ]
    )
for name in right:
    print(
        f"{name:8}  right {right[name]['low']:.3f} to {right[name]['high']:.3f}, "
        f"error {error[name]['low']:.3f} to {error[name]['high']:.3f}"
    )
figure = figures.intervals(right, "share right", len(seeds))

# %%
# The error grows with the smoothing, and no interval meets another.

figure = figures.intervals(error, "expected calibration error", len(seeds))

# %%
# Clusters
# --------
# What the last layer gets, on the plane through the templates of three classes, as
# :cite:t:`muller2019` draw it, for the first seed.


def draw(smoothing):
    """Draw the test images of three classes, as the first network sees them."""
    model = models[smoothing][0]
    return figures.clusters(model[:-1](x[test]), y[test], model[-1].weight, [3, 5, 8])


figure = draw(0.0)

# %%
# **With much smoothing each class draws together.**

figure = draw(0.2)

# %%
# And for all classes, in all dimensions and over all seeds: how far a point is from the
# centre of its class, by the distance from centre to centre.


def width(model):
    """Return how wide the clusters of the test images are."""
    features = model[:-1](x[test])
    centres = torch.stack([features[y[test] == k].mean(0) for k in range(10)])
    return (features - centres[y[test]]).norm(dim=1).mean() / torch.pdist(centres).mean()


for e in smoothings:
    widths = interval([width(model) for model in models[e]])
    print(f"{f'ε = {e}':8}  {widths['low']:.3f} to {widths['high']:.3f}")

# %%
# The clusters tighten as the smoothing grows. The smallest smoothing makes no difference
# that the seeds could tell.
#
# Logit gaps
# ----------
# The smoothed loss is least where the true logit leads the others by
# :math:`\ln(K(1-\varepsilon)/\varepsilon + 1)`. **The gaps of the images that were
# trained on gather there**; without smoothing they have no such place.

figure = figures.gaps(models[0.1][0](x[train]), y[train], 0.1)

# %%
# For each smoothing, the mean gap over the seeds:

print("   ε  trained  tested    best")
for e in smoothings:
    means = []
    for part in train, test:
        z = torch.cat([model(x[part]) for model in models[e]])
        true = z.gather(1, y[part].repeat(len(seeds))[:, None])
        means.append((true.squeeze(1) - (z.sum(1) - true.squeeze(1)) / 9).mean())
    best = optimal_logit_gap(10, e) if e else float("inf")
    print(f"{e:4}  {means[0]:7.3f}  {means[1]:6.3f}  {best:6.3f}")

plt.show()

# %%
# Digits are easy, and these networks are small. What happens on more data, with noisy
# labels, or in distillation: :doc:`/learn/does_it_help`.
