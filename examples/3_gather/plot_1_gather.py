"""
Gather in one and two dimensions
================================

An index is an order form: each of its cells names the place of one number. The drawings
follow one cell of the form at a time, from its own position, along the beam that it
lights, to the number that it fetches.
"""

import matplotlib.pyplot as plt
import torch

from label_smoothing import explain_gather, figures, gather_reference
from label_smoothing.example import logits, target

# %%
# One dimension
# -------------
# There is one line, so the beam lights all of it. The index may be longer or shorter than
# the line, and may name a place twice. The output has the length of the index.

warehouse = torch.arange(10, 15)
order = torch.tensor([3, 0, 3])
print(explain_gather(warehouse, 0, order))

figure = figures.gather(warehouse, 0, order)

# %%
# Two dimensions, along the rows
# ------------------------------
# The logits of the running example have one row per sample and one column per class. With
# ``dim=1`` the beam runs along a row, and the index of that row picks a class: the logit
# of the true class, as a loss needs it. The index needs two dimensions as well, so the
# target becomes a column.

index = target.unsqueeze(1)
print(explain_gather(logits, 1, index))

figure = figures.gather(logits, 1, index, cell=(0, 0))

# %%
# Two dimensions, along the columns
# ---------------------------------
# With ``dim=0`` the beam runs down a column, and the index picks a row. Here, for the
# first three classes, it picks the row with the greatest logit. So gathering gives back
# the maximum: what ``argmax`` finds, :func:`torch.gather` fetches.

columns = logits[:, :3]
best = columns.argmax(0, keepdim=True)
fetched = columns.gather(0, best)
print("rows   ", best)
print("fetched", fetched)
print("equal to the maximum:", torch.equal(fetched, columns.amax(0, keepdim=True)))

figure = figures.gather(columns, 0, best, cell=(0, 0))

# %%
# An index that is too short
# --------------------------
# A row where a column was meant: ``unsqueeze(0)`` in place of ``unsqueeze(1)``. The form
# has a single row, so no beam ever starts in the rows below. The result has three
# numbers, all of them from the first sample, and no error is raised. The note at the end
# of the table is the only warning.

wrong = target.unsqueeze(0)
print(explain_gather(logits, 1, wrong))

figure = figures.gather(logits, 1, wrong)

# %%
# The definition, as code
# -----------------------
# :func:`label_smoothing.gather_reference` is a loop over the output cells, one line long.
# It agrees with :func:`torch.gather` on every call of this page.

for input, dim, index in (
    (warehouse, 0, order),
    (logits, 1, target.unsqueeze(1)),
    (columns, 0, best),
    (logits, 1, wrong),
):
    same = torch.equal(gather_reference(input, dim, index), input.gather(dim, index))
    print(f"dim={dim} index {tuple(index.shape)}: same as the definition: {same}")

plt.show()
