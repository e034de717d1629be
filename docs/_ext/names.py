"""The names that an expression on a page may use: in a number, and in a drawing."""

import importlib
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F

import label_smoothing
from label_smoothing import __main__ as example

# What `nox -s bench` and `nox -s rosetta` have measured.
BENCH, ROSETTA = (
    json.loads((Path(__file__).parents[1] / name).read_text("utf-8"))
    for name in ("bench.json", "rosetta.json")
)

NAMES = {
    "bench": BENCH,
    # The package has the function under the name of this module.
    "one_pass": importlib.import_module("label_smoothing.cross_entropy"),
    "rosetta": ROSETTA,
    **{name: getattr(label_smoothing, name) for name in label_smoothing.__all__},
    **{name: getattr(example, name) for name in ("logits", "target", "smoothing")},
    "torch": torch,
    "F": F,
    "math": math,
}
