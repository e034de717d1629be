"""Run what the guide to the training loop shows of other libraries, and compare.

Each script of ``docs/guides/frameworks`` runs as a reader would run it, in an interpreter
and a folder of its own. What it prints must be what ``scripts.jsonl`` has; ``--record``
writes the file.
"""

import hashlib
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from measured import rows

HERE = Path(__file__).parent
SCRIPTS = HERE.parents[1] / "guides" / "frameworks"
RECORD = HERE / "scripts.jsonl"


def fingerprint(script: str, row: rows.Row) -> str:
    """Return what no longer fits once the script, its output or a version has changed."""
    parts = [script, row["versions"], row["printed"]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def run(script: Path) -> rows.Row:
    """Return what a script prints, and with which versions."""
    with TemporaryDirectory() as folder:
        # Keras reads settings in the home of whoever runs it.
        env = os.environ | {"KERAS_HOME": folder}
        command = (sys.executable, "-P", HERE / "reader.py", script)
        ran = subprocess.run(command, cwd=folder, env=env, stdout=-1, text=True)
    if ran.returncode:
        sys.exit(f"{script}: exit status {ran.returncode}, see above")
    names = (script.stem.removeprefix("train_"), "torch")
    versions = {name: version(name).partition("+")[0] for name in names}
    printed = ran.stdout.splitlines()
    row = {"script": script.name, "versions": versions, "printed": printed}
    return row | {"sha256": fingerprint(script.read_text("utf-8"), row)}


if __name__ == "__main__":
    found = [run(script) for script in sorted(SCRIPTS.glob("*.py"))]
    print(*found, sep="\n")
    if sys.argv[1:] == ["--record"]:
        rows.write(RECORD, found)
    else:
        sys.exit("\n".join(rows.differences(found, rows.read(RECORD))) or None)
