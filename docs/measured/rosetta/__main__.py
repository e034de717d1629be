"""Run what the libraries ship, and compare what their ε means with ``losses.jsonl``.

Each library of ``libraries.toml`` is downloaded without what it depends on, unpacked into
a folder of its own, and run in a process of its own: nothing is installed, and none
disturbs another. What is written is measured. A library that cannot be downloaded or run
has a row with its error.

A row that is not as in the file is an error; ``--record`` writes the files.
"""

import importlib
import json
import os
import re
import subprocess
import sys
import tarfile
import types
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from measured import rows
from measured.rosetta.adapters import CALLS, STAND_INS
from measured.rosetta.losses import HERE, LIBRARIES, SMOOTHING, Library, convention
from measured.rosetta.questions import CLASSES, RowError, measure

PINS = HERE / "libraries.txt"
Wheels = Mapping[str, "Future[Path]"]


def download(name: str, wheels: Path, options: Sequence[str] = ()) -> Path:
    """Fetch a package, and return its path."""
    folder = wheels / name
    pip = (sys.executable, "-m", "pip", "download", "--no-deps", "-q", *options)
    command = (*pip, "-c", str(PINS), "-d", str(folder), name)
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RowError(last_line(ran))
    (path,) = folder.iterdir()
    return path


def last_line(ran: "subprocess.CompletedProcess[str]") -> str:
    """Return the end of what a process says of its error."""
    return (ran.stderr.strip() or f"exit status {ran.returncode}").splitlines()[-1]


def unpack(path: Path, folder: Path) -> None:
    """Unpack a wheel, or the source of a package, so that Python finds it there."""
    if path.suffix == ".whl":
        zipfile.ZipFile(path).extractall(folder)
        return
    with tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
    for found in (folder / path.name.removesuffix(".tar.gz")).iterdir():
        found.rename(folder / found.name)


def load(library: Library) -> Any:
    """Import what is at the path of a library."""
    stubs = [
        (*name.rpartition(".")[::2], STAND_INS[kind])
        for kind, names in library.stubs.items()
        for name in names
    ]
    module, _, name = library.path.rpartition(".")
    for inner in (*(stub for stub, *_ in stubs), *([] if library.whole else [module])):
        for end in re.finditer(r"\.", inner):
            put(inner[: end.start()])
    for stub, inner, stand_in in stubs:
        setattr(put(stub), inner, stand_in)
    return getattr(importlib.import_module(module), name)


def put(name: str) -> types.ModuleType:
    """Return a package that runs no code of its own, with its files."""
    if name not in sys.modules:
        sys.modules[name] = module = types.ModuleType(name)
        places = (Path(place, *name.split(".")) for place in sys.path)
        module.__path__ = [str(place) for place in places if place.is_dir()]
    return sys.modules[name]


def run(library: Library, wheels: Wheels) -> rows.Row:
    """Return the row of a library."""
    row = {"name": library.name, "package": library.package, "path": library.path}
    try:
        with TemporaryDirectory() as folder:
            for name in library.downloads:
                unpack(wheels[name].result(), Path(folder))
            command = (sys.executable, "-m", "measured.rosetta", library.name)
            found = os.pathsep.join([folder, str(HERE.parents[1])])
            env = os.environ | library.env | {"PYTHONPATH": found}
            ran = subprocess.run(
                command, env=env, capture_output=True, text=True, check=False, timeout=600
            )
        if ran.returncode:
            raise RowError(last_line(ran))
        return {**row, **json.loads(ran.stdout.splitlines()[-1])}
    except Exception as error:  # of one library, not of all
        return row | {"error": str(error) or type(error).__name__}


def everything() -> tuple[list[rows.Row], list[rows.Row]]:
    """Return the rows of all libraries, and of the files that they came in."""
    asked = {
        name: library.pip if name == library.package else ()
        for library in LIBRARIES.values()
        for name in library.downloads
    }
    with TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        wheels = {
            name: pool.submit(download, name, Path(folder), options)
            for name, options in asked.items()
        }
        losses = []
        for row in pool.map(lambda library: run(library, wheels), LIBRARIES.values()):
            shown = row.get("targets", row.get("error"))
            print(f"{row['name']:34} {convention(row) or '':24} {shown}", flush=True)
            losses.append(row)
        there = {
            name: wheel.result()
            for name, wheel in wheels.items()
            if not wheel.exception()
        }
        return losses, [
            {
                "name": name,
                "file": path.name,
                "sha256": sha256(path.read_bytes()).hexdigest(),
            }
            for name, path in there.items()
        ]


def main(record: bool) -> None:
    """Run all libraries, and record what they do or compare it."""
    paths = (HERE / "losses.jsonl", HERE / "wheels.csv")
    release = torch.__version__.partition("+")[0]
    changed: list[str] = []
    for path, found in zip(paths, everything(), strict=True):
        if record:
            rows.write(
                path,
                found,
                {"smoothing": SMOOTHING, "classes": CLASSES, "torch": release},
            )
        else:
            changed += rows.differences(found, rows.read(path))
    sys.exit("\n".join(changed) or None)


if __name__ == "__main__":
    if sys.argv[1:] in ([], ["--record"]):
        main(record=bool(sys.argv[1:]))
    else:
        library = LIBRARIES[sys.argv[1]]
        warnings.simplefilter("ignore")
        with redirect_stdout(sys.stderr):
            call = CALLS.get(library.name) or CALLS[library.like]
            thing = load(library)
            row = measure(library, lambda e, **o: partial(call, thing, e, **o))
        print(json.dumps(row))
