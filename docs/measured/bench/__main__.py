"""Time the loss in one pass beside PyTorch's own: ``nox -s bench``.

All that is compared runs in one process, in turns: what disturbs the machine disturbs
them alike. Each number is the median over the turns, with the least and the most.

How long it takes to write to new memory, page by page, is a large part of what is
measured; so it runs once with buffers that are always new, and once with buffers that
are used again. The environment decides that before Python starts, so each is a process.
"""

import os
import re
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.benchmark import Timer

from label_smoothing import cross_entropy
from measured import rows

T = TypeVar("T")
Runs = dict[str, Callable[[], object]]  # what is to be timed, by its name
SMOOTHING = 0.1
THREADS = len(os.sched_getaffinity(0))
LARGE = (2048, 32000)
HEAD = (2048, 512, 32000)  # rows, features, classes
SOME = ("floor", "ours", "torch")
SHAPES: dict[str, Sequence[tuple[int, ...]]] = {
    "sizes": [(256, 1000), (1024, 1000), (128, 32000), LARGE, (1024, 128256)],
    "rows": [(2**n, 1000) for n in range(5, 14)],
    "classes": [(256, 2**n) for n in range(6, 16)],
    "head": [HEAD],
}
PEAKS = {
    "loss": (LARGE, ("ours", "compiled", "hard", "torch")),
    "head": (HEAD, ("linear", "ours", "torch")),
}
FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "transposed": lambda logits: logits.t().contiguous().t(),
    "channels last": lambda logits: logits.to(memory_format=torch.channels_last),
    "times 100": lambda logits: 100 * logits,
    "plus 1000": lambda logits: 1000 + logits,
}
SITUATIONS: list[tuple[tuple[int, ...], str, str]] = [
    ((10,), "float32", ""),
    ((32, 10), "float32", ""),
    ((32, 10), "bfloat16", ""),
    ((32, 10), "float16", ""),
    ((256, 1000), "float32", ""),
    ((256, 1000), "bfloat16", ""),
    ((1024, 1000), "float32", ""),
    ((1024, 1000), "bfloat16", ""),
    ((1024, 1000), "float16", ""),
    ((1024, 1000), "float64", ""),
    ((2048, 32000), "bfloat16", ""),
    ((2048, 32000), "float16", ""),
    ((8192, 64), "float32", ""),
    ((100000, 10), "float32", ""),
    ((1000000, 2), "float32", ""),
    ((4, 21, 512, 512), "float32", ""),
    ((4, 21, 512, 512), "float32", "channels last"),
    ((1, 21, 512, 512), "bfloat16", ""),
    ((1024, 1000), "float32", "transposed"),
    ((1024, 1000), "float32", "times 100"),
    ((1024, 1000), "float32", "plus 1000"),
    ((1024, 1000), "float32", "a third ignored"),
    ((1024, 1000), "float32", "class weights"),
    ((1024, 1000), "float32", "probabilities"),
]
# glibc hands memory back to the system when it is freed: an area of its own that has this
# many bytes, and the end of the others once it has so many.
MEMORY = {"new": (2**16, 2**17), "used": (2**40, 2**40)}


def contestants(shape: Sequence[int]) -> tuple[Tensor, Runs]:
    """Return what gets a gradient, and what is to be timed on it."""
    return head(*shape) if len(shape) == len(HEAD) else loss_alone(*shape)


def loss_alone(count: int, num_classes: int) -> tuple[Tensor, Runs]:
    """Return logits, and what is to be timed on them."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(count, num_classes, generator=generator).requires_grad_()
    target = torch.randint(num_classes, (count,), generator=generator)
    torch.compiler.reset()
    compiled = torch.compile(F.cross_entropy, dynamic=False)

    def train(loss: Callable[..., Tensor], smoothing: float = SMOOTHING) -> None:
        logits.grad = None
        loss(logits, target, label_smoothing=smoothing).backward()

    def floor() -> None:
        logits.grad = None
        logits.grad = torch.exp(logits.detach())

    return logits, {
        "floor": floor,
        "ours": lambda: train(cross_entropy),
        "torch": lambda: train(F.cross_entropy),
        "hard": lambda: train(F.cross_entropy, 0.0),
        "compiled": lambda: train(compiled),
    }


def head(count: int, features: int, num_classes: int) -> tuple[Tensor, Runs]:
    """Return the weight of a last layer, and what is to be timed with the layer in it."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(num_classes, features, generator=generator).requires_grad_()
    hidden = torch.randn(count, features, generator=generator).requires_grad_()
    target = torch.randint(num_classes, (count,), generator=generator)

    def train(loss: Callable[..., Tensor]) -> None:
        weight.grad = hidden.grad = None
        loss(hidden / features**0.5, weight, target).backward()

    def after(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda x, w, y: loss(F.linear(x, w), y, label_smoothing=SMOOTHING)

    def chunked(x: Tensor, w: Tensor, y: Tensor) -> Tensor:
        # The chunked way of PyTorch takes no smoothing: add it as docs/guides shows.
        hard = F.linear_cross_entropy(x, w, y, options=nn.LinearCrossEntropyOptions())
        return hard + SMOOTHING * (x * (w[y] - w.mean(0))).sum(1).mean()

    return weight, {
        "ours": lambda: train(after(cross_entropy)),
        "torch": lambda: train(after(F.cross_entropy)),
        "linear": lambda: train(chunked),
    }


def situation(shape: Sequence[int], dtype: str, form: str) -> dict[str, Runs]:
    """Return both losses, for the forward pass alone and with the backward pass."""
    generator = torch.Generator().manual_seed(0)
    logits = FORMS.get(form, Tensor.clone)(torch.randn(*shape, generator=generator))
    logits = logits.to(getattr(torch, dtype)).requires_grad_()
    classes = min(1, len(shape) - 1)
    of_rows = (*shape[:classes], *shape[classes + 1 :])
    target = torch.randint(shape[classes], of_rows, generator=generator)
    weight = None
    if form == "a third ignored":
        target[::3] = -100
    elif form == "class weights":
        weight = torch.rand(shape[classes], generator=generator)
    elif form == "probabilities":
        target = torch.randn(*shape, generator=generator).softmax(classes)

    def forward(loss: Callable[..., Tensor]) -> Tensor:
        return loss(logits, target, weight, label_smoothing=SMOOTHING)

    def alone(loss: Callable[..., Tensor]) -> None:
        with torch.no_grad():
            forward(loss)

    def both(loss: Callable[..., Tensor]) -> None:
        logits.grad = None
        forward(loss).backward()

    losses = {"ours": cross_entropy, "torch": F.cross_entropy}
    return {
        passes: {name: partial(run, loss) for name, loss in losses.items()}
        for passes, run in {"forward": alone, "both": both}.items()
    }


def shares(memory: str) -> list[rows.Row]:
    """Time both losses in each situation."""
    found: list[rows.Row] = []
    for shape, dtype, form in SITUATIONS:
        print(memory, shape, dtype, form)
        of = {"memory": memory, "shape": " x ".join(map(str, shape))}
        of |= {"dtype": dtype, "form": form}
        for passes, runs in situation(shape, dtype, form).items():
            spent = seconds(runs, 7)
            medians = {n: float(f"{statistics.median(s):.4g}") for n, s in spent.items()}
            found.append(of | {"passes": passes} | medians)
    return found


def seconds(runs: Runs, turns: int) -> dict[str, list[float]]:
    """Return how long each contestant takes, in each of the turns."""
    timers = {
        n: Timer("f()", globals={"f": f}, num_threads=THREADS) for n, f in runs.items()
    }
    numbers = {n: max(1, int(0.03 / timer.timeit(1).mean)) for n, timer in timers.items()}
    found: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(turns):
        for name, timer in timers.items():
            found[name].append(timer.timeit(numbers[name]).mean)
    return found


def times(memory: str) -> list[rows.Row]:
    """Time each group; only the sizes where memory is used again."""
    found: list[rows.Row] = []
    cases = [(group, shape) for group, shapes in SHAPES.items() for shape in shapes]
    for group, shape in cases:
        if memory == "used" and group != "sizes":
            continue
        print(memory, shape)
        _, runs = contestants(shape)
        if group in ("rows", "classes"):
            runs = {name: runs[name] for name in SOME}
        of = {"memory": memory, "group": group, "shape": " x ".join(map(str, shape))}
        for name, spent in seconds(runs, 3 if group == "head" else 5).items():
            ends = (statistics.median(spent), min(spent), max(spent))
            median, least, most = (float(f"{end:.4g}") for end in ends)
            row = {"name": name, "median": median, "least": least, "most": most}
            found.append(of | row)
    return found


def peak(shape: Sequence[int], name: str) -> float:
    """Return how far memory rises in one run, over the size of the logits.

    Linux knows the highest mark of a process, and lets it be reset.
    """
    leaf, runs = contestants(shape)

    def memory(mark: str) -> int:
        status = Path("/proc/self/status").read_text()
        return int(re.findall(rf"{mark}:\s+(\d+) kB", status)[0])

    runs[name]()  # compiles, and loads what is loaded once
    leaf.grad = None
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    runs[name]()
    return round(1024 * (memory("VmHWM") - before) / (4 * shape[0] * shape[-1]), 3)


def ask(memory: str, function: Callable[..., T], *given: object) -> T:
    """Call a function in a process of its own, with memory that is new or used again."""
    for name, size in zip(("MMAP", "TRIM"), MEMORY[memory], strict=True):
        os.environ[f"MALLOC_{name}_THRESHOLD_"] = str(size)
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(function, *given).result()


def main() -> None:
    """Time everything, and write it."""
    found = [row for memory in MEMORY for row in ask(memory, times, memory)]
    rows.write(Path(__file__).with_name("times.csv"), found)
    found = [row for memory in MEMORY for row in ask(memory, shares, memory)]
    rows.write(Path(__file__).with_name("shares.csv"), found)
    peaks = [
        {"of": of, "name": name, "peak": ask("new", peak, shape, name)}
        for of, (shape, names) in PEAKS.items()
        for name in names
    ]
    machine = {"processor": rows.processor(), "torch": torch.__version__}
    facts = {"threads": THREADS, "smoothing": SMOOTHING}
    rows.write(Path(__file__).with_name("peaks.csv"), peaks, {**machine, **facts})


if __name__ == "__main__":
    # A new process finds what it is to call under this name, and not under __main__.
    import_module("measured.bench.__main__").main()
