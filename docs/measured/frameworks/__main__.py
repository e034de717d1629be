"""Run what the guide to the training loop shows of other libraries, and compare.

Each script of ``docs/guides/frameworks`` runs as a reader would run it, in an interpreter
and a folder of its own. What it prints must be what ``frameworks.json`` has;
``--record`` writes the file anew.
"""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

DOCS = Path(__file__).parents[2]
SCRIPTS = DOCS / "guides" / "frameworks"
RECORD = DOCS / "measured" / "frameworks" / "frameworks.json"
digest = runpy.run_path(str(DOCS / "measured" / "frameworks" / "seal.py"))["digest"]


def run(script: Path) -> dict[str, Any]:
    """Return what a script prints, and with which versions."""
    with TemporaryDirectory() as folder:
        # Keras reads settings in the home of whoever runs it.
        env = os.environ | {"KERAS_HOME": folder}
        command = [sys.executable, "-P", __file__, str(script)]
        ran = subprocess.run(
            command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True, check=False
        )
    if ran.returncode:
        sys.exit(f"{script}: exit status {ran.returncode}, see above")
    library = script.stem.removeprefix("train_")
    row = {
        "versions": {name: release(name) for name in (library, "torch")},
        "printed": ran.stdout.splitlines(),
    }
    return row | {"sha256": digest(script.read_text("utf-8"), row)}


def release(package: str) -> str:
    return version(package).partition("+")[0]


def differences(
    rows: dict[str, dict[str, Any]], recorded: dict[str, dict[str, Any]]
) -> Iterator[str]:
    """Say of each script in which way it is not as it was."""
    for name in sorted(rows.keys() | recorded):
        new, old = rows.get(name, {}), recorded.get(name, {})
        changed = [key for key in ("versions", "printed") if new.get(key) != old.get(key)]
        for key in changed:
            yield f"{name}: {key}: {old.get(key)} is now {new.get(key)}"
        if not changed and new != old:
            yield f"{name}: is not the script that ran, or its record changed"


def fit_torchvision() -> None:
    """Let torchvision load beside a torch that it was not built for.

    On PyPI the one for Linux is for CUDA. Beside a torch for the CPU it has no operators,
    which no script uses, yet without them timm and torchmetrics do not load.
    """
    try:
        builds = {version(name).partition("+")[2] for name in ("torch", "torchvision")}
    except PackageNotFoundError:
        return
    if len(builds) > 1:
        import torch

        arguments = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", arguments)


def main(record: bool) -> None:
    rows = {}
    for script in sorted(SCRIPTS.glob("*.py")):
        rows[script.name] = row = run(script)
        print(script.name, row["versions"], *row["printed"], sep="\n", flush=True)
    if record:
        RECORD.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
        return
    recorded = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    sys.exit("\n".join(differences(rows, recorded)) or None)


if __name__ == "__main__":
    if sys.argv[1:] in ([], ["--record"]):
        main(record=bool(sys.argv[1:]))
    else:
        del sys.argv[0]  # a script finds itself there
        fit_torchvision()
        runpy.run_path(sys.argv[0], run_name="__main__")
