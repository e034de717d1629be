"""
The uniform prior
=================

A prior is a target that does not look at the row. The uniform prior gives every class
the same share.
"""

import math

import matplotlib.pyplot as plt

from label_smoothing import figures, uniform
from label_smoothing.example import logits

u = uniform(5)
print(u)

figure = figures.distribution(u, "u")

# %%
# With :math:`K` classes each gets :math:`u(k) = 1/K`. No distribution over them has a
# larger entropy: :math:`H(u) = \log K`.

for num_classes in (2, 5, 1000):
    share, entropy = 1 / num_classes, math.log(num_classes)
    print(f"K = {num_classes:4}: u = {share:.3f}, H(u) = {entropy:.4f}")

# %%
# **Cross entropy against the uniform prior is a plain mean**: the sum with equal weights
# is the mean of :math:`-\log p(k)` over the classes. This is why the gather form has a
# ``mean`` and no trace of :math:`u`.

log_probs = logits.log_softmax(1)
print("weighted sum", -(u * log_probs).sum(1))
print("mean        ", -log_probs.mean(1))

# %%
# All three rows lie above :math:`\log K`, because none of them predicts all classes
# alike. Scale the logits up, and the model becomes more certain; against this prior that
# costs more and more.

for scale in (0, 1, 4, 16):
    cost = -(scale * logits).log_softmax(1).mean()
    print(f"H(u, p) at {scale:2} times the logits: {cost:.4f}")

plt.show()

# %%
# So this term holds the logits together, whatever the true class. Mixed with the hard
# target it becomes label smoothing:
# :ref:`sphx_glr_auto_examples_1_targets_plot_3_mix.py`.
