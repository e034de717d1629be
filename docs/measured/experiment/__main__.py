"""Train and measure what the page "Does it help?" shows: ``nox -s experiment``.

A run that has ended is kept in ``.experiment``; so after a kill, go on with the same
command. When all have ended, some are trained again, and must give the same figures; then
the figures of each run go to ``runs.csv``.
"""

import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
import torchmetrics
from tqdm import tqdm

from measured import rows
from measured.experiment import train
from measured.experiment.figures import BINS, COVERAGE, FEW_LABELS, measure
from measured.experiment.runs import CODE, Runs
from measured.experiment.settings import SETTINGS
from measured.experiment.train import EPOCHS, DataError, images_seen, load

ROOT = Path(__file__).parents[3]
RECORD = Path(__file__).with_name("runs.csv")
FOLDER = "/usr/share/datasets/fashion-mnist"
SEEDS = range(5)
REPEATED = ("all 0.1", "student 0.1 at 4.0", "often noise 0.4 0.1")


def repeat(runs: Runs, figures: dict[tuple[str, int], dict[str, float]]) -> Iterator[str]:
    """Train some runs again, and say which of them do not give the same figures."""
    for name in REPEATED:
        again = runs.train(SETTINGS[name], SEEDS[0])
        if measure(SETTINGS[name], again, runs.data) != figures[name, SEEDS[0]]:
            yield name


def commit() -> str:
    """Return the commit whose code runs."""
    asked = ("git", "describe", "--always", "--dirty", "--abbrev=12")
    return subprocess.check_output(asked, cwd=ROOT, text=True).strip()


def main(folder: str) -> None:
    """Train what is not trained yet, measure all, and write it."""
    torch.set_num_threads(1)  # the last digits differ with how many threads there are
    torch.use_deterministic_algorithms(True)
    try:
        data = load(folder)
    except DataError as error:
        sys.exit(str(error))
    with tqdm(unit=" images", unit_scale=True) as bar:
        runs = Runs(ROOT / ".experiment", data, bar.update)
        # Seed by seed, so that what is there early is there of every setting.
        wanted = [(name, seed) for seed in SEEDS for name in SETTINGS]
        left = [one for one in wanted if not runs.path(SETTINGS[one[0]], one[1]).exists()]
        names = [*(name for name, _ in left), *REPEATED]
        bar.total = sum(images_seen(SETTINGS[name], data) for name in names)
        for name, seed in left:
            bar.set_description(f"{name}, seed {seed}")
            runs.get(SETTINGS[name], seed)
        figures = {
            (name, seed): measure(SETTINGS[name], runs.get(SETTINGS[name], seed), data)
            for name, seed in wanted
        }
        bar.set_description("again")
        changed = list(repeat(runs, figures))
    if changed:
        sys.exit(f"trained again, these give other figures: {', '.join(changed)}")
    settings = SETTINGS.values()
    seen = {row.images: images_seen(row, data) // EPOCHS[row.images] for row in settings}
    found = [
        {"name": name, "seed": seed, **setting._asdict(), **figures[name, seed]}
        for name, setting in SETTINGS.items()
        for seed in SEEDS
    ]
    conditions = {
        "processor": rows.processor(), "python": platform.python_version(),
        "torch": torch.__version__, "torchmetrics": torchmetrics.__version__,
        "commit": commit(), "data": data.digest, "code": CODE,
        "bins": BINS, "coverage": COVERAGE,
        "trained on": seen, "epochs": EPOCHS, "batch": train.BATCH, "rate": train.RATE,
        "classes": train.CLASSES, "imbalance": train.IMBALANCE, "few labels": FEW_LABELS,
        "held out": len(data.held_out[1]), "tested on": len(data.test[1]),
        "repeated": REPEATED,
    }  # fmt: skip
    rows.write(RECORD, found, conditions)


if __name__ == "__main__":
    main(*sys.argv[1:] or [FOLDER])
