"""The names that an expression on a page may use: in a number, and in a drawing."""

import csv
import json
import math
import tomllib
from pathlib import Path

import torch
import torch.nn.functional as F

import label_smoothing
from label_smoothing import example, fast

MEASURED = Path(__file__).parents[2] / "measured"
# What `nox -s bench`, `nox -s experiment`, `nox -s lighthouse` and `nox -s rosetta` have
# measured.
BENCH, EXPERIMENT, LIGHTHOUSE, ROSETTA = (
    json.loads(
        (Path(__file__).parents[2] / "measured" / name / f"{name}.json").read_text(
            "utf-8"
        )
    )
    for name in ("bench", "experiment", "lighthouse", "rosetta")
)

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))
# The oldest releases that the package allows.
OLDEST = {
    name: float(asked.rpartition(">=")[2])
    for name, asked in (
        ("python", PROJECT["project"]["requires-python"]),
        ("torch", PROJECT["project"]["dependencies"][0]),
    )
}


def measured(setting, figure):
    """Return the mean over the seeds, and the ends of its interval."""
    return list(EXPERIMENT["settings"][setting]["figures"][figure].values())[:3]


def points(setting, figure, against):
    """Return the difference between two settings, in points of percent."""
    row = EXPERIMENT["settings"][setting]["difference"][against][figure]
    return [100 * value for value in row.values()]


def by_smoothing(group, figure):
    """Return what was measured at each smoothing, of the settings of a group."""
    return {
        f"ε = {row['setting']['smoothing']:g}": row["figures"][figure]
        for name, row in EXPERIMENT["settings"].items()
        if name.rpartition(" ")[0] == group
    }


def of_settings(figure, **settings):
    """Return what was measured of some settings, each under another name."""
    return {
        name.replace("_", " "): EXPERIMENT["settings"][setting]["figures"][figure]
        for name, setting in settings.items()
    }


with (MEASURED / "proof.csv").open() as rows:
    (PROOF,) = csv.DictReader(rows)
with (MEASURED / "mutants" / "counts.csv").open() as rows:
    MUTANTS = list(csv.DictReader(rows))


def mutants(count):
    """Return the sum of a count over the modules."""
    return sum(int(module[count]) for module in MUTANTS)


NAMES = {
    "proof": PROOF,
    "mutants": mutants,
    "bench": BENCH,
    "experiment": EXPERIMENT,
    "measured": measured,
    "points": points,
    "by_smoothing": by_smoothing,
    "of_settings": of_settings,
    "one_pass": fast,
    "lighthouse": LIGHTHOUSE["pages"],
    "rosetta": ROSETTA,
    "oldest": OLDEST,
    **{name: getattr(label_smoothing, name) for name in label_smoothing.__all__},
    **{name: getattr(example, name) for name in ("logits", "target", "smoothing")},
    "torch": torch,
    "F": F,
    "math": math,
}
