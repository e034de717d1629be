"""Train and measure what the page "Does it help?" shows: ``nox -s experiment``.

A run that has ended is kept in ``.experiment``; so after a kill, go on with the same
command. When all have ended, some are trained again, and must give the same figures; then
the figures of each run go to ``runs.csv``.

``conditions.json`` says at which commit they were measured, which were trained again, and
with which code: a hash of ``train.py``.
"""

import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
import torchmetrics
from tqdm import tqdm

from measured import rows
from measured.experiment import train
from measured.experiment.figures import BINS, COVERAGE, FEW_LABELS, measure
from measured.experiment.runs import CODE, Runs
from measured.experiment.settings import SETTINGS

ROOT = Path(__file__).parents[3]
RECORD = Path(__file__).with_name("runs.csv")
FOLDER = "/usr/share/datasets/fashion-mnist"
SEEDS = range(5)
REPEATED = ("all 0.1", "student 0.1 at 4.0", "often noise 0.4 0.1")


def repeat(runs: Runs, figures: Mapping[tuple[str, int], rows.Row]) -> Iterator[str]:
    """Train some runs again, and say which of them do not give the same figures."""
    for name in tqdm(REPEATED, "again"):
        again = runs.train(SETTINGS[name], SEEDS[0])
        if measure(SETTINGS[name], again, runs.data) != figures[name, SEEDS[0]]:
            yield name


def main(folder: str) -> None:
    """Train what is not trained yet, measure all, and write it."""
    torch.set_num_threads(1)  # the last digits differ with how many threads there are
    torch.use_deterministic_algorithms(True)
    data = train.load(folder)
    runs = Runs(ROOT / ".experiment", data)
    # Seed by seed, so that what is there early is there of every setting.
    wanted = [(name, seed) for seed in SEEDS for name in SETTINGS]
    figures = {
        (name, seed): measure(SETTINGS[name], runs.get(SETTINGS[name], seed), data)
        for name, seed in tqdm(wanted, "runs")
    }
    if changed := list(repeat(runs, figures)):
        sys.exit(f"trained again, these give other figures: {', '.join(changed)}")
    found = [
        {"name": name, "seed": seed, **setting._asdict(), **figures[name, seed]}
        for name, setting in SETTINGS.items()
        for seed in SEEDS
    ]
    describe = ("git", "describe", "--always", "--dirty", "--abbrev=12")
    commit = subprocess.check_output(describe, cwd=ROOT, text=True).strip()
    labels = data.train[1]
    conditions = {
        "processor": rows.processor(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchmetrics": torchmetrics.__version__,
        "measured at commit": commit,
        "repeated": REPEATED,
        "repeated with code": CODE,
        "data": data.digest,
        "bins": BINS,
        "coverage": COVERAGE,
        "trained on": {i: len(train.choose(i, labels)) for i in train.EPOCHS},
        "epochs": train.EPOCHS,
        "batch": train.BATCH,
        "rate": train.RATE,
        "classes": train.CLASSES,
        "imbalance": train.IMBALANCE,
        "few labels": FEW_LABELS,
        "held out": len(data.held_out[1]),
        "tested on": len(data.test[1]),
    }
    rows.write(RECORD, found, conditions)


if __name__ == "__main__":
    main(*sys.argv[1:] or [FOLDER])
