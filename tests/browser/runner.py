"""Run a program, part by part, and return what each part prints."""

import code
import contextlib
import io
import multiprocessing
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor

# Each program gets a copy of a process that has loaded torch: to load it takes seconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["matplotlib.pyplot", "torch"])


def run(*parts: str, typed: bool = False) -> list[str]:
    """Run the parts of a script, or type them into an interpreter."""
    warnings.simplefilter("error")
    names = {"__name__": "__main__"}
    session = code.InteractiveConsole(names)
    printed = []
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for part in parts:
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                if typed:
                    for line in [*part.splitlines(), ""]:
                        session.push(line)
                else:
                    exec(part, names)
            printed.append(out.getvalue().strip("\n"))
    return printed


def run_alone(*parts: str, typed: bool = False) -> list[str]:
    """Run them in a process of its own."""
    with ProcessPoolExecutor(1, PROCESSES) as process:
        return process.submit(run, *parts, typed=typed).result()
