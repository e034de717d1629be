"""The data, the network, and a run: what decides the logits, and nothing else."""

import gzip
import hashlib
import itertools
import math
import sys
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from label_smoothing import convert_smoothing

CLASSES, HELD_OUT, FEW = 10, 10_000, 5_000
IMBALANCE = 100  # the commonest class has this many times the images of the rarest
BATCH, RATE = 256, 6e-3
EPOCHS = {"all": 3, "often": 20, "few": 20, "unbalanced": 6}
STUDENT, USUAL, TEACHER = 4, 8, 16  # channels of the first layer
SHA256 = """\
train-images-idx3-ubyte c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888
train-labels-idx1-ubyte bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9
t10k-images-idx3-ubyte 5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b
t10k-labels-idx1-ubyte 0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34
"""
FILES = dict(line.split() for line in SHA256.splitlines())  # of each, unpacked
MISSING = """there is no {path}.
Fashion-MNIST is four files in IDX format, packed with gzip. On Debian and Ubuntu:
    apt-get install dataset-fashion-mnist
Elsewhere take them from github.com/zalandoresearch/fashion-mnist and give their folder:
    nox -s experiment -- FOLDER"""


class Setting(NamedTuple):
    """How a network is trained; with a seed it is a run."""

    smoothing: float = 0.0
    convention: str = "uniform"
    images: str = "all"
    noise: float = 0.0
    weights: str = "none"
    width: int = USUAL
    teacher: float | None = None  # the smoothing that its teacher was trained with
    temperature: float = 1.0  # of the distillation


class Data(NamedTuple):
    """Images and labels: to train on, to fit a temperature on, to measure on."""

    train: tuple[Tensor, Tensor]
    held_out: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    digest: str  # of all of them, and of what is held out


def read(folder: str | Path, file: str) -> bytes:
    """Return a file of the data set, unpacked."""
    path = Path(folder, f"{file}.gz")
    if not path.exists():
        sys.exit(MISSING.format(path=path))
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        sys.exit(f"{path} cannot be unpacked: {error}")
    found, expected = hashlib.sha256(content).hexdigest(), FILES[file]
    if found != expected:
        says = f"unpacked, its SHA-256 is {found}, expected {expected}"
        sys.exit(f"{path} is not of Fashion-MNIST: {says}")
    return content


def load(folder: str | Path, held_out: int = HELD_OUT) -> Data:
    """Read the data set, and hold out a part of what it has for training."""
    digest, found = hashlib.sha256(repr(held_out).encode()), []
    for file in FILES:
        values = bytearray(read(folder, file)[16 if "images" in file else 8 :])
        digest.update(values)
        found.append(torch.frombuffer(values, dtype=torch.uint8))
    images, labels = found[0].reshape(-1, 28, 28), found[1]
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    inner, outer = order[held_out:], order[:held_out]
    mean, std = (f(images[inner] / 255) for f in (torch.mean, torch.std))

    def prepared(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        x = ((images / 255 - mean) / std)[:, None]
        return x.contiguous(memory_format=torch.channels_last), labels.long()

    return Data(
        train=prepared(images[inner], labels[inner]),
        held_out=prepared(images[outer], labels[outer]),
        test=prepared(found[2].reshape(-1, 28, 28), found[3]),
        digest=digest.hexdigest(),
    )


def choose(images: str, labels: Tensor) -> Tensor:
    """Return which of the images to train on."""
    if images != "unbalanced":
        return torch.arange(FEW if images == "few" else len(labels))
    most = float(labels.bincount().min())
    counts = [round(most * IMBALANCE ** (-k / (CLASSES - 1))) for k in range(CLASSES)]
    chosen = [(labels == k).nonzero()[:count, 0] for k, count in enumerate(counts)]
    return torch.cat(chosen)


def add_noise(labels: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """Give a share of the labels another class, each of the others as likely."""
    wrong = torch.rand(len(labels), generator=generator) < rate
    step = torch.randint(1, CLASSES, labels.shape, generator=generator)
    return torch.where(wrong, (labels + step) % CLASSES, labels)


def network(width: int) -> nn.Module:
    """Return three convolutions, each of which halves the image, and two layers."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise((1, width, 2 * width, 4 * width)):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.ReLU()]
    layers += [nn.Flatten(), nn.Linear(64 * width, 128), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(128, CLASSES))
    return model.to(memory_format=torch.channels_last)  # type: ignore


def loss_of(setting: Setting, weight: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss of a setting: of logits and what they are to learn."""
    t, given = setting.temperature, weight if setting.weights == "torch" else None
    e = convert_smoothing(setting.smoothing, CLASSES, setting.convention, "uniform")
    smoothed = partial(F.cross_entropy, label_smoothing=e)

    def distil(z: Tensor, v: Tensor) -> Tensor:
        q, log_p = (v / t).softmax(1), (z / t).log_softmax(1)
        return t**2 * F.kl_div(log_p, q, reduction="batchmean")

    def weigh_rows(z: Tensor, y: Tensor) -> Tensor:
        return (weight[y] * smoothed(z, y, reduction="none")).sum() / weight[y].sum()

    if setting.teacher is not None:
        return distil
    return weigh_rows if setting.weights == "rows" else partial(smoothed, weight=given)


def train(
    setting: Setting, seed: int, data: Data, teacher: nn.Module | None = None
) -> dict[str, Any]:
    """Train a network, and return its state and its logits."""
    torch.manual_seed(seed)
    model = network(setting.width)
    generator = torch.Generator().manual_seed(seed)
    chosen, epochs = choose(setting.images, data.train[1]), EPOCHS[setting.images]
    x, y = data.train[0][chosen], data.train[1][chosen]
    weight = len(y) / y.bincount(minlength=CLASSES)
    noisy = add_noise(y, setting.noise, generator)
    learnt = noisy if teacher is None else logits_of(teacher, x)
    loss = loss_of(setting, weight)
    steps = epochs * math.ceil(len(x) / BATCH)
    optimizer = torch.optim.Adam(model.parameters(), RATE, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: 1 - n / steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(BATCH):
            optimizer.zero_grad()
            loss(model(x[rows]), learnt[rows]).backward()
            optimizer.step()
            schedule.step()
    parts = {"held out": data.held_out, "test": data.test}
    logits = {name: logits_of(model, x) for name, (x, _) in parts.items()}
    return {"state": model.state_dict(), **logits}


@torch.no_grad()
def logits_of(model: nn.Module, x: Tensor) -> Tensor:
    """Return the logits of a network, in parts that fit in memory."""
    return torch.cat([model(part) for part in x.split(1000)])


def teacher_of(setting: Setting) -> Setting | None:
    """Return how the teacher of a student is trained, if there is one."""
    if setting.teacher is None:
        return None
    return Setting(setting.teacher, images=setting.images, width=TEACHER)
