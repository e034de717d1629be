"""Run what the libraries ship, and write what their ε means to ``rosetta.json``.

Each library of ``libraries.py`` is downloaded without what it depends on, unpacked into a
folder of its own, and run in a process of its own: nothing is installed, and none
disturbs another. What is written is measured. A library that cannot be downloaded or run
stands there with its error.

A row that is not as in the file is an error; ``--record`` writes the file anew.
"""

import hashlib
import importlib
import json
import math
import os
import re
import subprocess
import sys
import tarfile
import types
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from label_smoothing import (
    convert_smoothing,
    optimal_logit_gap,
    recover_target,
    smooth,
)

from .libraries import LIBRARIES

HERE = Path(__file__).parent
PINS = HERE / "libraries.txt"
RECORD = HERE / "rosetta.json"
SMOOTHING = 0.1
CLASSES = (5, 10)
HOW = ("package", "file")
TARGET = torch.tensor([2, 1])  # class 0 is the one that some libraries pad with
PADDED = "others-without-padding"
CONVENTIONS = ("uniform", "others", PADDED, "normalised")
OF_TWO = ("half", "swap")


class RowError(Exception):
    """What was measured does not hold together."""


# What is asked of a loss, once it is called as PyTorch's is.


def measure(library, thing):
    make = partial(library.make, thing)
    sizes = (2,) if library.two_classes else CLASSES
    target = TARGET % sizes[0]
    found = {K: recover_target(make(SMOOTHING), K, target) for K in sizes}
    names = {convention_of(K, row.target[0], target[0]) for K, row in found.items()}
    if len(names) != 1:
        raise RowError(f"no one convention: {names}")
    (convention,) = names
    row = {
        "targets": {K: rounded(row.target[0]) for K, row in found.items()},
        "convention": convention,
        "to_write": {K: to_write(make, K, convention, target) for K in sizes},
        "form": form(make(SMOOTHING), sizes[0]) if library.gives == "loss" else "labels",
    }
    if library.two_classes or library.gives == "labels":
        return row
    return row | {
        "weights": of_weights(make),
        "ignore_index": (
            ask(lambda: ignored(make(SMOOTHING)))
            if library.takes == "classes" and library.checks_bounds
            else "not asked"
        ),
        "dimension": {
            name: ask(lambda dim=dim: dimension(make(SMOOTHING), dim))
            for name, dim in (("1", 1), ("last", -1))
        },
        "half": ask(lambda: half(make(SMOOTHING))),
        "reduction": {
            how: ask(lambda options=options: reduction(make(SMOOTHING, **options)))
            for how, options in (
                ("default", {}),
                *((how, {"reduction": how}) for how in ("mean", "sum", "none")),
            )
        },
    }


def ask(question):
    """Return the answer, or the error in its place."""
    try:
        return question()
    except Exception as error:
        if str(error).startswith("loss failed"):  # says the X-ray
            error = error.__cause__
        if isinstance(error, TypeError) and "unexpected keyword argument" in str(error):
            return "no argument"
        return f"raises {type(error).__name__}"


def rounded(q):
    return [round(float(value), 6) for value in q]


def same(one, other):
    return torch.allclose(one.double(), other.double(), rtol=0, atol=1e-5)


def convention_of(num_classes, q, y):
    """Name the convention by the two values of the target, and where zeros are."""
    y = int(y)
    others = [float(value) for k, value in enumerate(q) if k != y and value > 1e-9]
    if not others:
        return f"no smoothing: {rounded(q)}"
    gap = math.log(q[y] / others[0])
    fits = [
        name
        for name in (OF_TWO if num_classes == 2 else CONVENTIONS)
        if math.isclose(
            optimal_logit_gap(num_classes, SMOOTHING, name), gap, abs_tol=1e-4
        )
        and len(others) == num_classes - 1 - (name == PADDED)
        and max(others) - min(others) < 1e-5
    ]
    return fits[0] if len(fits) == 1 else f"none of these: {rounded(q)}"


def to_write(make, num_classes, convention, target):
    """Return the ε with which the loss trains as torch does, once it has been seen to."""
    value = convert_smoothing(
        SMOOTHING, num_classes, "half" if num_classes == 2 else "uniform", convention
    )
    found = recover_target(make(value), num_classes, target).target
    padding = int(convention == PADDED)  # torch then has the classes without it
    expected = smooth(target - padding, num_classes - padding, SMOOTHING)
    if not same(found[:, padding:], expected):
        raise RowError(f"with {value} the target is {found}")
    return round(value, 6)


def form(loss, num_classes):
    """Tell a cross entropy from a divergence: they differ by the entropy of q'."""
    y = TARGET[:1] % num_classes
    found = recover_target(loss, num_classes, y)
    q, logits = (
        found.target[0],
        torch.linspace(-1, 1, num_classes, dtype=torch.float64)[None],
    )
    value = loss(logits.clone(), y).sum() / found.scale[0]
    cross = -(q * logits[0].log_softmax(0)).sum()
    for name, expected in (("CE", cross), ("KL", cross + torch.xlogy(q, q).sum())):
        if math.isclose(value, expected, abs_tol=1e-4):
            return name
    return "other"


def of_weights(make):
    """Ask of the sum, if there is one: a mean may divide by weights, once or twice."""
    summed = ask(lambda: weights(partial(make, reduction="sum")))
    known = ("bend", "scale", "weigh", "do nothing")
    return summed if summed.startswith(known) else ask(lambda: weights(make))


def weights(make):
    """Say what class weights do: to the target, to the scale of a row, or to neither."""
    w = torch.arange(1.0, 6.0, dtype=torch.float64)
    plain = recover_target(make(SMOOTHING), 5, TARGET)
    found = recover_target(make(SMOOTHING, weight=w), 5, TARGET)
    q, scales = plain.target, found.scale / plain.scale
    true = q + (w[TARGET, None] - 1) * (1 - SMOOTHING) * torch.eye(5)[TARGET]
    for name, expected in (
        ("bend the target", w * q),
        ("weigh the true class alone", true),
    ):
        if same(found.target, expected / expected.sum(1, keepdim=True)):
            return name
    if same(found.target, q):
        for name, expected in (
            ("scale the row", w[TARGET]),
            ("scale the row by their mean under q'", (w * q).sum(1)),
            ("do nothing", torch.ones(2)),
        ):
            if same(scales / scales[0], expected / expected[0]):
                return name
    return "other"


def ignored(loss):
    """Say what becomes of a row whose target is -100."""
    y = torch.tensor([TARGET[0], -100, TARGET[1]])
    found, without = recover_target(loss, 5, y), recover_target(loss, 5, TARGET)
    if found.scale[1] == 0 and not found.fixed.all():
        return "ignored, and breaks the other rows"
    if found.scale[1] == 0:
        alike = same(found.scale[[0, 2]], without.scale)
        return "ignored" if alike else "ignored, yet counted in the mean"
    for k in range(5):
        q = recover_target(loss, 5, torch.tensor([k, TARGET[1]])).target
        if same(found.target[1], q[0]):
            return f"taken for class {k}"
    if same(found.target[1], torch.full((5,), 0.2)):
        return "trained towards u"
    return "trained"


def in_steps(loss, dim):
    """Call a loss with two sequences of three steps, classes at that dimension."""

    def call(z, y):
        z = z.reshape(2, 3, -1)
        return loss(z.mT if dim == 1 else z, y.reshape(2, 3)).reshape(-1)

    return call


def dimension(loss, dim):
    """Say if the loss finds the classes at a dimension of (2, 5, 3) or (2, 3, 5)."""
    y = torch.tensor([2, 1, 3, 4, 2, 1])
    found = recover_target(in_steps(loss, dim), 5, y)
    return "right" if same(found.target, recover_target(loss, 5, y).target) else "wrong"


def half(loss):
    """Say if ten rows of a thousand classes are too much for float16."""
    value = loss(torch.zeros(10, 1000, dtype=torch.float16), torch.ones(10).long())
    worst = float(value.sum())
    return "finite" if math.isfinite(worst) else str(worst)


def reduction(loss):
    """Say what is returned: of two sequences of three steps, or else of six rows."""
    y = torch.tensor([2, 1, 3, 4, 2, 1])
    for dim in (1, -1):
        if ask(partial(dimension, loss, dim)) == "right":
            loss = in_steps(loss, dim)
            break
    count = loss(torch.zeros(6, 5, dtype=torch.float64), y).numel()
    scale = recover_target(loss, 5, y).scale
    if not same(scale, scale[0].expand(6)):
        return "other"
    names = {(6, 6): "none", (1, 6): "sum", (1, 1): "mean", (1, 3): "sum / N"}
    share = 6 * float(scale[0])
    whole = round(share)
    return names.get((count, whole), "other") if abs(share - whole) < 0.1 else "other"


# Where a library comes from.


def download(name, wheels, options=()):
    """Fetch a package, and return its path."""
    folder = wheels / name
    pip = (sys.executable, "-m", "pip", "download", "--no-deps", "-q", *options)
    command = (*pip, "-c", str(PINS), "-d", str(folder), name)
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RowError(last_line(ran))
    (path,) = folder.iterdir()
    return path


def last_line(ran):
    return (ran.stderr.strip() or f"exit status {ran.returncode}").splitlines()[-1]


def unpack(path, folder):
    """Unpack a wheel, or the source of a package, so that Python finds it there."""
    if path.suffix == ".whl":
        zipfile.ZipFile(path).extractall(folder)
        return
    with tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
    for found in (folder / path.name.removesuffix(".tar.gz")).iterdir():
        found.rename(folder / found.name)


def load(library):
    """Import what stands at the path of a library."""
    module, _, name = library.path.rpartition(".")
    for inner in (*library.stubs, *([module] if library.alone else [])):
        for end in re.finditer(r"\.", inner):
            put(inner[: end.start()])
    for stub, names in library.stubs.items():
        vars(put(stub)).update(names)
    return getattr(importlib.import_module(module), name)


def put(name):
    """Return a package that runs no code of its own, with its files."""
    if name not in sys.modules:
        sys.modules[name] = module = types.ModuleType(name)
        places = (Path(place, *name.split(".")) for place in sys.path)
        module.__path__ = [str(place) for place in places if place.is_dir()]
    return sys.modules[name]


def run(library, wheels):
    """Return the row of a library."""
    row = {
        "name": library.name,
        "package": library.package,
        "path": library.path,
        "imported": "with stand-ins" if library.stubs else HOW[library.alone],
        "two_classes": library.two_classes,
        "former": library.former,
    }
    try:
        with TemporaryDirectory() as folder:
            paths = [wheels[name].result() for name in names(library)]
            row["wheels"] = {
                path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths
            }
            for path in paths:
                unpack(path, Path(folder))
            command = (sys.executable, "-m", "measured.rosetta", library.name)
            found = os.pathsep.join([folder, str(HERE.parents[1])])
            env = os.environ | library.env | {"PYTHONPATH": found}
            ran = subprocess.run(
                command, env=env, capture_output=True, text=True, check=False, timeout=600
            )
        if ran.returncode:
            raise RowError(last_line(ran))
        return row | json.loads(ran.stdout.splitlines()[-1])
    except Exception as error:  # of one library, not of all
        return row | {"error": str(error) or type(error).__name__}


def names(library):
    return [name for name in (library.package, *library.needs) if name]


def everything():
    """Return the rows of all libraries, in their order."""
    with TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        asked = {
            name: library.pip if name == library.package else ()
            for library in LIBRARIES.values()
            for name in names(library)
        }
        wheels = {
            name: pool.submit(download, name, Path(folder), options)
            for name, options in asked.items()
        }
        rows = pool.map(lambda library: run(library, wheels), LIBRARIES.values())
        for row in rows:
            shown = row.get("targets", row.get("error"))
            print(f"{row['name']:34} {row.get('convention', ''):24} {shown}", flush=True)
            yield row


def differences(rows, recorded):
    """Say of each library in which way it is not as it was."""
    was = {row["name"]: row for row in recorded}
    for row in rows:
        old = was.pop(row["name"], {})
        for key in sorted(row.keys() | old):
            if row.get(key) != old.get(key):
                yield f"{row['name']}: {key}: {old.get(key)} is now {row.get(key)}"
    yield from (f"{name}: was there" for name in was)


def main(record):
    found = {
        "smoothing": SMOOTHING,
        "torch": torch.__version__.partition("+")[0],
        "libraries": list(everything()),
    }
    text = json.dumps(found, indent=1) + "\n"
    if record:
        RECORD.write_text(text, "utf-8")
        return
    recorded = json.loads(RECORD.read_text("utf-8"))
    changed = list(differences(json.loads(text)["libraries"], recorded["libraries"]))
    sys.exit("\n".join(changed) or None)


if __name__ == "__main__":
    if sys.argv[1:] in ([], ["--record"]):
        main(record=bool(sys.argv[1:]))
    else:
        library = LIBRARIES[sys.argv[1]]
        warnings.simplefilter("ignore")
        with redirect_stdout(sys.stderr):
            measured = measure(library, load(library))
        print(json.dumps(measured))
