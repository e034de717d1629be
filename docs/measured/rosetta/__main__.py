"""Run what the libraries ship, and compare what their ε means with ``losses.jsonl``.

Each library of ``libraries.toml`` is downloaded without what it depends on, unpacked into
a folder of its own, and run in a process of its own: nothing is installed, and none
disturbs another. What is written is measured. A library that cannot be downloaded or run
has a row with its error.

A row that is not as in the file is an error; ``--record`` writes the files.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from measured import rows
from measured.rosetta.adapters import way_of
from measured.rosetta.losses import HERE, LIBRARIES, SMOOTHING, Library, convention
from measured.rosetta.questions import CLASSES, measure

PINS = HERE / "libraries.txt"


def execute(*command: str, **options: Any) -> str:
    """Run Python, and return what it prints."""
    python = (sys.executable, "-m", *command)
    ran = subprocess.run(python, capture_output=True, text=True, **options)
    if ran.returncode:
        said = ran.stderr.strip() or f"exit status {ran.returncode}"
        raise RuntimeError(said.splitlines()[-1])
    return str(ran.stdout)


def fetch(library: Library, folder: str) -> Iterator[rows.Row]:
    """Unpack a library into a folder, and return the row of each file."""
    pip = ("pip", "download", "--no-deps", "-q", "-c", str(PINS), *library.pip)
    for name in library.downloads:
        with TemporaryDirectory() as place:
            execute(*pip, "-d", place, name)
            (path,) = Path(place).iterdir()
            shutil.unpack_archive(path, folder, {".whl": "zip"}.get(path.suffix))
            digest = sha256(path.read_bytes()).hexdigest()
            yield {"name": name, "file": path.name, "sha256": digest}
        # What is no wheel has its packages in a folder of its own.
        for source in Path(folder).glob(path.name.removesuffix(".tar.gz")):
            shutil.copytree(source, folder, dirs_exist_ok=True)


def replace(library: Library, folder: str) -> None:
    """Write the stand-ins of a library, and empty the packages that the loss is in."""
    code = dict(library.stubs)
    for module in [] if library.whole else [library.path.rpartition(".")[0], *code]:
        while module := module.rpartition(".")[0]:
            code.setdefault(module, "")
    for module, text in code.items():
        package = Path(folder, *module.split("."))
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text(text)


def run(library: Library) -> tuple[rows.Row, list[rows.Row]]:
    """Return the row of a library, and those of the files that it came in."""
    row = {"name": library.name, "package": library.package, "path": library.path}
    files: list[rows.Row] = []
    try:
        with TemporaryDirectory() as folder:
            files.extend(fetch(library, folder))
            replace(library, folder)
            found = os.pathsep.join([folder, str(HERE.parents[1])])
            env = os.environ | library.env | {"PYTHONPATH": found}
            printed = execute("measured.rosetta", library.name, env=env, timeout=600)
        row |= json.loads(printed.splitlines()[-1])
    except Exception as error:  # of one library, not of all
        row |= {"error": str(error) or type(error).__name__}
    print(row["name"], convention(row), row.get("targets", row.get("error")), flush=True)
    return row, files


def main(record: bool) -> None:
    """Run all libraries, and record what they do or compare it."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        losses, came = zip(*pool.map(run, LIBRARIES.values()), strict=True)
    files = {file["name"]: file for of_library in came for file in of_library}
    release = torch.__version__.partition("+")[0]
    conditions = {"smoothing": SMOOTHING, "classes": CLASSES, "torch": release}
    changed: list[str] = []
    for name, found in {"losses.jsonl": losses, "wheels.csv": [*files.values()]}.items():
        if record:
            rows.write(HERE / name, found, conditions)
        else:
            changed += rows.differences(found, rows.read(HERE / name))
    sys.exit("\n".join(changed) or None)


if __name__ == "__main__":
    if sys.argv[1:] in ([], ["--record"]):
        main(record=bool(sys.argv[1:]))
    else:
        library = LIBRARIES[sys.argv[1]]
        module, _, name = library.path.rpartition(".")
        found = getattr(import_module(module), name)
        print(json.dumps(measure(library, partial(way_of, library, found))))
