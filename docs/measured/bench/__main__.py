"""Time the loss in one pass beside PyTorch's own, and write it to ``bench.json``.

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
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.benchmark import Timer

from label_smoothing import cross_entropy

SMOOTHING = 0.1
SMALL = ((3, 5), (32, 10), (256, 10))
SIZES = ((256, 1000), (1024, 1000), (128, 32000), (2048, 32000), (1024, 128256))
IMAGES = ((8, 21, 256, 256), (64, 1000, 14, 14))
HEAD = (2048, 512, 32000)  # rows, features, classes
WEIGHTED = ((128, 32000), (2048, 32000))
ROWS = [(2**n, 1000) for n in range(5, 14)]
CLASSES = [(256, 2**n) for n in range(6, 16)]
# glibc hands memory from this many bytes on back to the system when it is freed.
MEMORY = {
    "new": {"MALLOC_MMAP_THRESHOLD_": str(2**16)},
    "used": {"MALLOC_MMAP_THRESHOLD_": str(2**40), "MALLOC_TRIM_THRESHOLD_": str(2**40)},
}


def contestants(shape, weighted=False):
    """Return logits, and what is to be timed on them."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator).requires_grad_()
    target = torch.randint(shape[1], shape[:1] + shape[2:], generator=generator)
    options = {"label_smoothing": SMOOTHING}
    if weighted:
        options["weight"] = torch.linspace(0.5, 1.5, shape[1])
    torch.compiler.reset()
    compiled = torch.compile(F.cross_entropy, dynamic=False)

    def train(loss, **options):
        logits.grad = None
        loss(logits, target, **options).backward()

    def forward(loss):
        with torch.no_grad():
            loss(logits, target, **options)

    def floor():
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


def head(rows, features, num_classes):
    """Return the weight of a last layer, and what is to be timed with the layer in it."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(num_classes, features, generator=generator).requires_grad_()
    hidden = torch.randn(rows, features, generator=generator).requires_grad_()
    target = torch.randint(num_classes, (rows,), generator=generator)
    options = {"label_smoothing": SMOOTHING}

    def train(loss):
        weight.grad = hidden.grad = None
        loss(hidden / features**0.5, weight, target, **options).backward()

    def after(loss):
        return lambda x, w, y, **options: loss(F.linear(x, w), y, **options)

    def chunked(x, w, y, label_smoothing):
        # The chunked way of PyTorch takes no smoothing: add it as docs/guides shows.
        hard = F.linear_cross_entropy(x, w, y, options=nn.LinearCrossEntropyOptions())
        return hard + label_smoothing * (x * (w[y] - w.mean(0))).sum(1).mean()

    return weight, {
        "ours": lambda: train(after(cross_entropy)),
        "torch": lambda: train(after(F.cross_entropy)),
        "linear": lambda: train(chunked),
    }


def time(shape, runs, turns):
    """Return the seconds of each contestant: median, least and most over the turns."""
    timers, numbers = {}, {}
    for name, run in runs.items():
        timers[name] = Timer("run()", globals={"run": run}, num_threads=threads())
        numbers[name] = max(1, int(0.03 / timers[name].timeit(1).mean))
    seconds = {name: [] for name in timers}
    for _ in range(turns):
        for name, timer in timers.items():
            seconds[name].append(timer.timeit(numbers[name]).mean)
    return {"shape": shape, "seconds": {name: spread(s) for name, s in seconds.items()}}


def spread(values):
    return [float(f"{f(values):.4g}") for f in (statistics.median, min, max)]


def threads():
    return len(os.sched_getaffinity(0))


def times(memory):
    def of(shapes, turns=5, names=None, **options):
        for shape in shapes:
            print(memory, shape, file=sys.stderr)
            _, runs = contestants(shape, **options)
            yield time(shape, {n: runs[n] for n in names or runs}, turns)

    record = {"sizes": list(of(SIZES))}
    if memory == "new":
        some = ("floor", "ours", "torch")
        record |= {
            "small": list(of(SMALL, 21)),
            "images": list(of(IMAGES)),
            "weighted": list(of(WEIGHTED, weighted=True)),
            "rows": list(of(ROWS, names=some)),
            "classes": list(of(CLASSES, names=some)),
            "head": time(HEAD, head(*HEAD)[1], 3),
        }
    return record


def peak(setting, name):
    """Return how far memory rises in one run, over the size of the logits.

    Linux knows the highest mark of a process, and lets it be reset.
    """
    if setting == "head":
        (weight, runs), numel = head(*HEAD), HEAD[0] * HEAD[2]
    else:
        (weight, runs), numel = contestants(SIZES[3]), math.prod(SIZES[3])
    runs[name]()  # compiles, and loads what is loaded once
    weight.grad = None
    Path("/proc/self/clear_refs").write_text("5")
    before = kilobytes("VmRSS")
    runs[name]()
    return round(1024 * (kilobytes("VmHWM") - before) / (4 * numel), 3)


def kilobytes(name):
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+) kB", status)[1])


def ask(what, *arguments, env=None):
    """Do something in a process of its own."""
    command = (sys.executable, __file__, what, *map(str, arguments))
    ran = subprocess.run(command, env=os.environ | (env or {}), stdout=-1, check=True)
    return json.loads(ran.stdout)


def processor():
    info = Path("/proc/cpuinfo").read_text()
    return re.search(r"model name\s*: (.*)", info)[1]


def main():
    record = {
        "processor": processor(),
        "torch": torch.__version__,
        "threads": threads(),
        "smoothing": SMOOTHING,
        **{memory: ask("times", memory, env=env) for memory, env in MEMORY.items()},
        **{
            f"{setting} peak": {
                name: ask("peak", setting, name, env=MEMORY["new"]) for name in names
            }
            for setting, names in (
                ("loss", ("ours", "compiled", "hard", "torch")),
                ("head", ("linear", "ours", "torch")),
            )
        },
    }
    Path(__file__).with_name("bench.json").write_text(
        f"{json.dumps(record, indent=1)}\n", "utf-8"
    )


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps({"times": times, "peak": peak}[sys.argv[1]](*sys.argv[2:])))
    else:
        main()
