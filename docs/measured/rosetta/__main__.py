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


def execute(*command: str, **options: Any) -> str:
    """Run a command, and return what it prints."""
    ran = subprocess.run(command, capture_output=True, text=True, **options)
    if ran.returncode:
        said = ran.stderr.strip() or f"exit status {ran.returncode}"
        raise RowError(said.splitlines()[-1])
    return str(ran.stdout)


def download(name: str, wheels: Path, options: Sequence[str] = ()) -> Path:
    """Fetch a package, and return its path."""
    pip = (sys.executable, "-m", "pip", "download", "--no-deps", "-q", *options)
    execute(*pip, "-c", str(PINS), "-d", str(wheels / name), name)
    (path,) = (wheels / name).iterdir()
    return path


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
    kinds = library.stubs.items()
    stubs = {path: STAND_INS[kind] for kind, paths in kinds for path in paths}
    for path in (*stubs, *([] if library.whole else [library.path])):
        parts = path.split(".")
        for n in range(1, len(parts) - 1):
            put(".".join(parts[:n]))
    for path, stand_in in stubs.items():
        module, _, name = path.rpartition(".")
        setattr(put(module), name, stand_in)
    module, _, name = library.path.rpartition(".")
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
            found = os.pathsep.join([folder, str(HERE.parents[1])])
            env = os.environ | library.env | {"PYTHONPATH": found}
            command = (sys.executable, "-m", "measured.rosetta", library.name)
            printed = execute(*command, env=env, timeout=600)
        return {**row, **json.loads(printed.splitlines()[-1])}
    except Exception as error:  # of one library, not of all
        return row | {"error": str(error) or type(error).__name__}


def row_of_file(name: str, path: Path) -> rows.Row:
    """Return the row of what was downloaded under a name."""
    digest = sha256(path.read_bytes()).hexdigest()
    return {"name": name, "file": path.name, "sha256": digest}


def everything() -> tuple[list[rows.Row], list[rows.Row]]:
    """Return the rows of all libraries, and of the files that they came in."""
    listed, losses = LIBRARIES.values(), []
    names = dict.fromkeys(name for library in listed for name in library.downloads)
    options = {library.package: library.pip for library in listed}
    with TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        wheels = {
            name: pool.submit(download, name, Path(folder), options.get(name, ()))
            for name in names
        }
        for row in pool.map(lambda library: run(library, wheels), listed):
            shown = row.get("targets", row.get("error"))
            print(f"{row['name']:34} {convention(row) or '':24} {shown}", flush=True)
            losses.append(row)
        came = [name for name, wheel in wheels.items() if not wheel.exception()]
        return losses, [row_of_file(name, wheels[name].result()) for name in came]


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
