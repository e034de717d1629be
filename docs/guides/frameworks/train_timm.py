import torch
from sklearn.datasets import load_digits
from timm.loss import LabelSmoothingCrossEntropy
from torch import nn

torch.manual_seed(0)
x, y = map(torch.tensor, load_digits(return_X_y=True))
model = nn.Linear(64, 10).double()
smoothed = LabelSmoothingCrossEntropy(smoothing=0.1)
hard = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(200):
    optimizer.zero_grad()
    smoothed(model(x[:1200]), y[:1200]).backward()
    optimizer.step()
with torch.no_grad():
    z, labels = model(x[1200:]), y[1200:]
in_torch = nn.CrossEntropyLoss(label_smoothing=0.1)
print(f"smoothed loss  {smoothed(z, labels):.3f}")
print(f"in PyTorch     {in_torch(z, labels):.3f}")
print(f"hard loss      {hard(z, labels):.3f}")
