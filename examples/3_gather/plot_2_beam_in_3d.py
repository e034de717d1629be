"""
The beam in three dimensions
============================

In three dimensions a beam can run in three directions. Each drawing shows the slices of
the tensors side by side, and one cell of the output on its way to its number.
"""

import matplotlib.pyplot as plt
import torch

from label_smoothing import explain_gather, figures, pick

# %%
# A warehouse with two floors, three aisles and two shelves. The digits of each number are
# its address: the number :printed:`120 := [120,` lies on floor one, in aisle two, on
# shelf zero.

floor, aisle, shelf = torch.meshgrid(
    torch.arange(2), torch.arange(3), torch.arange(2), indexing="ij"
)
warehouse = 100 * floor + 10 * aisle + shelf
print(warehouse)

# %%
# ``dim=0``: from floor to floor
# ------------------------------
# The output cell keeps its aisle and its shelf. The beam crosses the slices, like a lift.

index = torch.tensor([[[1, 0], [0, 1], [1, 1]]])
print(explain_gather(warehouse, 0, index))

figure = figures.gather(warehouse, 0, index, cell=(0, 1, 1))

# %%
# ``dim=1``: from aisle to aisle
# ------------------------------
# The output cell keeps its floor and its shelf.

index = torch.tensor([[[2, 0]], [[1, 2]]])
print(explain_gather(warehouse, 1, index))

figure = figures.gather(warehouse, 1, index, cell=(1, 0, 1))

# %%
# ``dim=2``: from shelf to shelf
# ------------------------------
# The output cell keeps its floor and its aisle.

index = torch.tensor([[[1], [0], [0]], [[0], [1], [1]]])
print(explain_gather(warehouse, 2, index))

figure = figures.gather(warehouse, 2, index, cell=(1, 2, 0))

# %%
# A silent mistake with sequences
# -------------------------------
# A language model has one row of scores per sample and time step, with the classes last:
# shape (N, T, K). Two samples, two steps, three classes; the digits are again the
# address. The targets have shape (N, T), and their new dimension must be the last.

scores = torch.tensor([[[0, 1, 2], [10, 11, 12]], [[100, 101, 102], [110, 111, 112]]])
target = torch.tensor([[2, 0], [1, 1]])
right = target.unsqueeze(2)
print(explain_gather(scores, 2, right))

figure = figures.gather(scores, 2, right)

# %%
# With ``unsqueeze(1)``, which is right for scores of shape (N, K), the index has a single
# time step, and every beam starts there. The shape after ``squeeze(1)`` is (N, T), as it
# should be; the numbers of every later step are those of the first. The middle digit of
# each number below should be its step.

wrong = target.unsqueeze(1)
print(explain_gather(scores, 2, wrong))
print("right", scores.gather(2, right).squeeze(2).tolist())
print("wrong", scores.gather(2, wrong).squeeze(1).tolist())

figure = figures.gather(scores, 2, wrong)

# %%
# :func:`label_smoothing.pick` computes the shape that the target must have, and refuses
# any other. With the class dimension given it is right; with the default, ``dim=1``, it
# raises here, since the sizes along time and class differ.

print(pick(scores, target, dim=2).tolist())
try:
    pick(scores, target)
except ValueError as error:
    print(error)

plt.show()
