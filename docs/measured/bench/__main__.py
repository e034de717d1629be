"""Time the loss in one pass beside PyTorch's own: ``nox -s bench``.

All that is compared runs in one process, in turns: what disturbs the machine disturbs
them alike. Each number is the median over the turns, with the least and the most.

How long it takes to write to new memory, page by page, is a large part of what is
measured; so it runs once with buffers that are always new, and once with buffers that
are used again. The environment decides that before Python starts, so each is a process.
"""

import json
import math
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.benchmark import Timer

from label_smoothing import cross_entropy
from measured import rows

Runs = dict[str, Callable[[], object]]  # what is to be timed, by its name
SMOOTHING = 0.1
THREADS = len(os.sched_getaffinity(0))
LARGE = (2048, 32000)
HEAD = (2048, 512, 32000)  # rows, features, classes
SOME = ("floor", "ours", "torch")
SHAPES: dict[str, Sequence[tuple[int, ...]]] = {
    "sizes": [(256, 1000), (1024, 1000), (128, 32000), LARGE, (1024, 128256)],
    "small": [(3, 5), (32, 10), (256, 10)],
    "images": [(8, 21, 256, 256), (64, 1000, 14, 14)],
    "weighted": [(128, 32000), LARGE],
    "rows": [(2**n, 1000) for n in range(5, 14)],
    "classes": [(256, 2**n) for n in range(6, 16)],
    "head": [HEAD],
}
TURNS = {"small": 21, "head": 3}  # of the others five
PEAKS = {"loss": ("ours", "compiled", "hard", "torch"), "head": ("linear", *SOME[1:])}
# glibc hands memory from this many bytes on back to the system when it is freed.
MEMORY = {
    "new": {"MALLOC_MMAP_THRESHOLD_": str(2**16)},
    "used": {"MALLOC_MMAP_THRESHOLD_": str(2**40), "MALLOC_TRIM_THRESHOLD_": str(2**40)},
}


def contestants(shape: Sequence[int], weighted: bool = False) -> tuple[Tensor, Runs]:
    """Return logits, and what is to be timed on them."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator).requires_grad_()
    indices = (*shape[:1], *shape[2:])
    target = torch.randint(shape[1], indices, generator=generator)
    options: dict[str, Any] = {"label_smoothing": SMOOTHING}
    if weighted:
        options["weight"] = torch.linspace(0.5, 1.5, shape[1])
    torch.compiler.reset()
    compiled = torch.compile(F.cross_entropy, dynamic=False)

    def train(loss: Callable[..., Tensor], **options: Any) -> None:
        logits.grad = None
        loss(logits, target, **options).backward()

    def forward(loss: Callable[..., Tensor]) -> None:
        with torch.no_grad():
            loss(logits, target, **options)

    def floor() -> None:
        logits.grad = None
        logits.grad = torch.exp(logits.detach())

    return logits, {
        "floor": floor,
        "ours": lambda: train(cross_entropy, **options),
        "torch": lambda: train(F.cross_entropy, **options),
        "hard": lambda: train(F.cross_entropy),
        "compiled": lambda: train(compiled, **options),
        "ours forward": lambda: forward(cross_entropy),
        "torch forward": lambda: forward(F.cross_entropy),
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


def times(memory: str) -> Iterator[rows.Row]:
    """Time each group; only the sizes where memory is used again."""
    for group in SHAPES if memory == "new" else ("sizes",):
        for shape in SHAPES[group]:
            print(memory, shape, file=sys.stderr)
            weighted = group == "weighted"
            _, runs = head(*shape) if group == "head" else contestants(shape, weighted)
            if group in ("rows", "classes"):
                runs = {name: runs[name] for name in SOME}
            of = {"memory": memory, "group": group, "shape": " x ".join(map(str, shape))}
            for name, spent in seconds(runs, TURNS.get(group, 5)).items():
                ends = (statistics.median(spent), min(spent), max(spent))
                median, least, most = (float(f"{end:.4g}") for end in ends)
                spread = {"median": median, "least": least, "most": most}
                yield {**of, "name": name, **spread}


def peak(of: str, name: str) -> float:
    """Return how far memory rises in one run, over the size of the logits.

    Linux knows the highest mark of a process, and lets it be reset.
    """
    if of == "head":
        (weight, runs), numel = head(*HEAD), HEAD[0] * HEAD[2]
    else:
        (weight, runs), numel = contestants(LARGE), math.prod(LARGE)

    def memory(mark: str) -> int:
        status = Path("/proc/self/status").read_text()
        return int(re.findall(rf"{mark}:\s+(\d+) kB", status)[0])

    runs[name]()  # compiles, and loads what is loaded once
    weight.grad = None
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    runs[name]()
    return round(1024 * (memory("VmHWM") - before) / (4 * numel), 3)


def ask(env: Mapping[str, str], *what: str) -> Any:
    """Do something in a process of its own."""
    command = (sys.executable, "-m", "measured.bench", *what)
    ran = subprocess.run(command, env=os.environ | env, stdout=-1, check=True)
    return json.loads(ran.stdout)


def main() -> None:
    """Time everything, and write it."""
    found = [row for memory in MEMORY for row in ask(MEMORY[memory], "times", memory)]
    rows.write(Path(__file__).with_name("times.csv"), found)
    peaks = [
        {"of": of, "name": name, "peak": ask(MEMORY["new"], "peak", of, name)}
        for of, names in PEAKS.items()
        for name in names
    ]
    machine = {"processor": rows.processor(), "torch": torch.__version__}
    facts = {"threads": THREADS, "smoothing": SMOOTHING}
    rows.write(Path(__file__).with_name("peaks.csv"), peaks, {**machine, **facts})


if __name__ == "__main__":
    if not sys.argv[1:]:
        main()
    elif sys.argv[1] == "times":
        print(json.dumps(list(times(sys.argv[2]))))
    else:
        print(json.dumps(peak(*sys.argv[2:])))
