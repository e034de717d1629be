"""
NLL and cross entropy
=====================

One loss is the tail of the other. The drawings show where each begins, and what comes out
when it is fed with the output of the wrong layer.
"""

import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from label_smoothing import figures, pick, uniform
from label_smoothing.example import logits, target

# %%
# Five steps
# ----------
# Cross entropy takes the logits all the way. The negative log-likelihood joins when the
# logarithm is done: it picks, negates and averages.

loss = F.cross_entropy(logits, target)
tail = F.nll_loss(logits.log_softmax(1), target)
print(f"cross_entropy on logits:             {loss:.4f}")
print(f"nll_loss on their log-probabilities: {tail:.4f}")

figure = figures.loss_pipeline(logits, target)

# %%
# The likelihood
# --------------
# The likelihood of the three labels is the product of the three picked probabilities,
# read as a function of the parameters of the model. Here there is one parameter, a scale
# on the logits. The scale that makes the labels most probable makes the loss least.

picked = pick(logits.softmax(1), target)
print("picked probabilities: " + ", ".join(f"{p:.4f}" for p in picked))
print(f"their product, the likelihood:  {picked.prod():.4f}")
print(f"exp(-N * loss), the same again: {torch.exp(-len(target) * loss):.4f}")

figure = figures.likelihood(logits, target)

# %%
# Six pairs
# ---------
# Three last layers, two losses. Three of the six numbers are the loss; the other three
# are not, and nothing warns.

layers = {
    "logits": logits,
    "softmax": logits.softmax(1),
    "log_softmax": logits.log_softmax(1),
}
print(f"{'last layer':<12}{'nll_loss':>10}{'cross_entropy':>15}")
for name, x in layers.items():
    nll, ce = F.nll_loss(x, target), F.cross_entropy(x, target)
    print(f"{name:<12}{nll:>10.4f}{ce:>15.4f}")

# %%
# Softmax twice
# -------------
# Cross entropy on probabilities has a floor. It is also narrow: from surely wrong to
# surely right it covers exactly one nat, however many classes there are.

print(f"{'K':>4}{'surely wrong':>14}{'no idea':>9}{'surely right':>14}")
for K in (2, 10, 1000):
    right, wrong = torch.eye(K)[:2]  # two rows of certain probabilities
    high, middle, low = (
        F.cross_entropy(p, torch.tensor(0)) for p in (wrong, uniform(K), right)
    )
    print(f"{K:>4}{high:>14.4f}{middle:>9.4f}{low:>14.4f}")
    torch.testing.assert_close(low, torch.tensor(1 + (K - 1) / math.e).log())
    torch.testing.assert_close(high - low, torch.tensor(1.0))

figure = figures.softmax_twice(10)

# %%
# A forgotten logarithm
# ---------------------
# On probabilities the negative log-likelihood has no logarithm in it: the loss of a row
# is :math:`-p_y`. Its gradient is the right one times :math:`p_y`, so a row that the
# model gets badly wrong hardly counts.

z = logits.clone().requires_grad_()
(wrong,) = torch.autograd.grad(F.nll_loss(z.softmax(1), target), z)
(right,) = torch.autograd.grad(F.cross_entropy(z, target), z)
print("wrong gradient / right gradient, row by row:")
print(wrong / right)

plt.show()
