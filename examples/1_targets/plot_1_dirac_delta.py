"""
Dirac delta
===========

A hard target puts all probability on one class.
"""

from label_smoothing import dirac_delta, figures
from label_smoothing.__main__ import target

# %%
# Each target becomes a row: one at the true class, zero everywhere else.

delta = dirac_delta(target, num_classes=5)
print(delta)

figures.distribution(delta, "δ")
