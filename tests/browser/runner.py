"""Run a program in a process of its own, which has loaded torch and run nothing yet."""

import code
import os
import runpy
import warnings
from pathlib import Path


def run(path: Path) -> None:
    """Run a script, or type what another file has; what it prints goes beside it."""
    os.chdir(path.parent)
    out = os.open(f"{path}.out", os.O_WRONLY | os.O_CREAT)
    os.dup2(out, 1)
    os.dup2(out, 2)
    warnings.simplefilter("error")
    if path.suffix == ".py":
        runpy.run_path(str(path), run_name="__main__")
        return
    session = code.InteractiveConsole({"__name__": "__main__"})
    for line in path.read_text(encoding="utf-8").splitlines():
        session.push(line)
