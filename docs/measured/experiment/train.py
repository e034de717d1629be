"""The data, the network, and a run: what decides the logits, and nothing else.

A run is kept under the hash of this code, and the record has it: a change here, other
than of words and types, means to train again.
"""

import gzip
import hashlib
import itertools
import math
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from label_smoothing import convert_smoothing

CLASSES, HELD_OUT, FEW = 10, 10_000, 5_000
IMBALANCE = 100  # the commonest class has this many times the images of the rarest
BATCH, RATE = 256, 6e-3
EPOCHS = {"all": 3, "often": 20, "few": 20, "unbalanced": 6}
STUDENT, USUAL, TEACHER = 4, 8, 16  # channels of the first layer
FILES = [
    f"{part}-{kind}-ubyte"
    for part in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
]
MISSING = """there is no {file} in {folder}.
Fashion-MNIST is four files in IDX format, packed with gzip or not. On Debian and Ubuntu:
    apt-get install dataset-fashion-mnist
Elsewhere take them from github.com/zalandoresearch/fashion-mnist and give their folder:
    nox -s experiment -- FOLDER"""


class DataError(Exception):
    """The data set is not there, or is not what its format says."""


@dataclass(frozen=True)
class Setting:
    """How a network is trained; with a seed it is a run."""

    smoothing: float = 0.0
    convention: str = "uniform"
    images: str = "all"
    noise: float = 0.0
    weights: str = "none"
    width: int = USUAL
    teacher: float | None = None  # the smoothing that its teacher was trained with
    temperature: float = 1.0  # of the distillation


@dataclass(frozen=True)
class Data:
    """Images and labels: to train on, to fit a temperature on, to measure on."""

    train: tuple[Tensor, Tensor]
    held_out: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    digest: str  # of all of them, and of what is held out


def read_idx(path: Path) -> Tensor:
    """Return the tensor of bytes in a file of the IDX format."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path} cannot be unpacked: {error}") from error
    magic = content[:4]
    if magic[:3] != b"\0\0\x08" or len(content) < 4 * (1 + magic[-1]):
        raise DataError(f"{path} is not an IDX file of bytes")
    shape = struct.unpack_from(f">{magic[-1]}I", content, 4)
    body = content[4 * (1 + len(shape)) :]
    if len(body) != math.prod(shape):
        raise DataError(f"{path} should hold {shape} bytes and holds {len(body)}")
    if not body:
        raise DataError(f"{path} holds nothing: its shape is {shape}")
    return torch.frombuffer(bytearray(body), dtype=torch.uint8).reshape(shape)


def load(folder: str | Path, held_out: int = HELD_OUT) -> Data:
    """Read the data set, and hold out a part of what it has for training."""
    found = []
    for file in FILES:
        paths = [Path(folder, file + end) for end in (".gz", "")]
        path = next((path for path in paths if path.exists()), None)
        if path is None:
            raise DataError(MISSING.format(file=file, folder=folder))
        found.append(read_idx(path))
    digest = hashlib.sha256(repr(held_out).encode())
    for images, labels in (found[:2], found[2:]):
        if labels.dim() != 1 or images.shape != (len(labels), 28, 28):
            shapes = f"images {tuple(images.shape)} and labels {tuple(labels.shape)}"
            raise DataError(f"{folder} has {shapes}, not (N, 28, 28) and (N,)")
        if labels.max() >= CLASSES:
            raise DataError(
                f"{folder} has a label {labels.max()}, not 0 to {CLASSES - 1}"
            )
        for values in (images, labels):
            digest.update(values.numpy())  # type: ignore[arg-type]
    images, labels = found[:2]
    if held_out >= len(labels):
        raise DataError(f"{folder} has {len(labels)} images to train on or to hold out")
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    inner, outer = order[held_out:], order[:held_out]
    mean, std = (f(images[inner] / 255) for f in (torch.mean, torch.std))

    def prepared(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        x = ((images / 255 - mean) / std)[:, None]
        return x.contiguous(memory_format=torch.channels_last), labels.long()

    return Data(
        train=prepared(images[inner], labels[inner]),
        held_out=prepared(images[outer], labels[outer]),
        test=prepared(*found[2:]),
        digest=digest.hexdigest(),
    )


def choose(images: str, labels: Tensor) -> Tensor:
    """Return which of the images to train on."""
    if images == "few":
        return torch.arange(FEW)
    if images in ("all", "often"):
        return torch.arange(len(labels))
    most = labels.bincount().min()
    return torch.cat(
        [
            (labels == k).nonzero()[
                : round(float(most) * IMBALANCE ** (-k / (CLASSES - 1))), 0
            ]
            for k in range(CLASSES)
        ]
    )


def add_noise(labels: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """Give a share of the labels another class, each of the others as likely."""
    wrong = torch.rand(len(labels), generator=generator) < rate
    shift = torch.randint(1, CLASSES, labels.shape, generator=generator)
    return torch.where(wrong, (labels + shift) % CLASSES, labels)


def network(width: int) -> nn.Module:
    """Return three convolutions, each of which halves the image, and two layers."""
    layers, channels = [], (1, width, 2 * width, 4 * width)
    for before, after in itertools.pairwise(channels):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.ReLU()]
    layers += [nn.Flatten(), nn.Linear(64 * width, 128), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(128, CLASSES))
    return model.to(memory_format=torch.channels_last)  # type: ignore


def loss_of(
    setting: Setting, weight: Tensor | None
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss of a setting: of logits and what they are to learn."""
    if setting.teacher is not None:
        t = setting.temperature

        def distil(z: Tensor, v: Tensor) -> Tensor:
            q = (v / t).softmax(1)
            return t**2 * F.kl_div((z / t).log_softmax(1), q, reduction="batchmean")

        return distil
    smoothing = convert_smoothing(
        setting.smoothing, CLASSES, setting.convention, "uniform"
    )
    if setting.weights == "rows":

        def weigh_rows(z: Tensor, y: Tensor) -> Tensor:
            rows = F.cross_entropy(z, y, reduction="none", label_smoothing=smoothing)
            return (weight[y] * rows).sum() / weight[y].sum()  # type: ignore[index]

        return weigh_rows
    weight = weight if setting.weights == "torch" else None
    return lambda z, y: F.cross_entropy(z, y, weight, label_smoothing=smoothing)


def train(
    setting: Setting,
    seed: int,
    data: Data,
    teacher: nn.Module | None = None,
    progress: Callable[[int], object] = lambda images: None,
) -> dict[str, Any]:
    """Train a network, and return its state and its logits."""
    torch.manual_seed(seed)
    model = network(setting.width)
    generator = torch.Generator().manual_seed(seed)
    chosen = choose(setting.images, data.train[1])
    x, y = data.train[0][chosen], data.train[1][chosen]
    weight = len(y) / y.bincount(minlength=CLASSES)
    learnt = add_noise(y, setting.noise, generator)
    if teacher is not None:
        learnt = logits_of(teacher, x)
    loss = loss_of(setting, weight)
    batches = math.ceil(len(x) / BATCH)
    steps = EPOCHS[setting.images] * batches
    optimizer = torch.optim.Adam(model.parameters(), RATE, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: 1 - n / steps)
    for _ in range(EPOCHS[setting.images]):
        for rows in torch.randperm(len(x), generator=generator).split(BATCH):
            optimizer.zero_grad()
            loss(model(x[rows]), learnt[rows]).backward()
            optimizer.step()
            schedule.step()
            progress(len(rows))
    return {
        "state": model.state_dict(),
        "held out": logits_of(model, data.held_out[0]),
        "test": logits_of(model, data.test[0]),
    }


@torch.no_grad()
def logits_of(model: nn.Module, x: Tensor) -> Tensor:
    """Return the logits of a network, in parts that fit in memory."""
    return torch.cat([model(part) for part in x.split(1000)])


def images_seen(setting: Setting, data: Data) -> int:
    """Return how many images a run trains on, each as often as it is seen."""
    return EPOCHS[setting.images] * len(choose(setting.images, data.train[1]))


def teacher_of(setting: Setting) -> Setting:
    """Return how the teacher of a student is trained."""
    return Setting(setting.teacher, images=setting.images, width=TEACHER)  # type: ignore
