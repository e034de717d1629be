"""
The floor
=========

Let logits move freely and train them on one row. With a smoothed target the loss stops at
a floor and the logits at a finite gap; with a hard target neither of them stops.
"""

import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from label_smoothing import figures, smooth
from label_smoothing.example import smoothing, target

figure = figures.floor(5, smoothing)

# %%
# The floor is the entropy of the target, :math:`H(q')`. It is reached when the
# prediction equals the target, and then the true logit leads by
# :math:`\log(K(1-\varepsilon)/\varepsilon + 1)`.

y = target[0]
q = smooth(y, 5, smoothing)
floor = -(q * q.log()).sum()
best = math.log(5 * (1 - smoothing) / smoothing + 1)
print(f"floor {floor:.4f}, best gap {best:.4f}")

# %%
# Now gradient descent, from equal logits, with nothing but the logits to learn. The
# gradient is :math:`p - q'`, so a step is one line. The hard target is the same with a
# smoothing of zero.


def descend(q, steps):
    """Return the logits after some steps."""
    z = torch.zeros(5)
    for _ in range(steps):
        z -= z.softmax(0) - q
    return z


for name, epsilon in (("smoothed", smoothing), ("hard", 0.0)):
    print(f"{name:8}  steps    loss     gap")
    for steps in (0, 10, 100, 1000):
        z = descend(smooth(y, 5, epsilon), steps)
        loss = F.cross_entropy(z, y, label_smoothing=epsilon)
        print(f"{steps:15}  {loss:.4f}  {z[y] - z[0]:.4f}")

plt.show()

# %%
# **The smoothed run arrives and stays**: its loss is the floor and its gap is the best
# gap, both known before the training began. The hard run goes on. With each tenfold of
# steps its gap grows by about the same, its loss falls to about a tenth, and neither
# comes to an end.
