"""The process of a loss: import it, audit it, and leave the reply in a file."""

import ast
import dataclasses
import faulthandler
import importlib
import inspect
import json
import os
import sys
import traceback
from argparse import Namespace
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, NoReturn

from label_smoothing.auditing.command import (
    ONLY_AS_A_SCRIPT,
    REPLY,
    TRACE,
    AuditError,
    parse,
    where,
)
from label_smoothing.auditing.report import audit_as


def main() -> None:
    """Audit what the words of the command line name."""
    folder, *words = sys.argv[1:]
    given = parse(words)
    sys.argv = [given.loss.rpartition(":")[0]]
    # A crash writes a traceback here, and so does os._exit, which nothing can catch.
    trace = os.open(Path(folder, TRACE), os.O_WRONLY)
    faulthandler.enable(trace, all_threads=False)
    leave = os._exit

    def leave_a_trace(status: int) -> NoReturn:
        faulthandler.dump_traceback(trace, all_threads=False)
        leave(status)

    os._exit = leave_a_trace
    reply = json.dumps(answer(given))
    Path(folder, REPLY).write_text(reply, "utf-8")
    sys.stdout.flush()
    sys.stderr.flush()
    leave(0)  # threads of the user's code may go on for ever


def answer(given: Namespace) -> dict[str, Any]:
    """Return the report of a loss, or what is wrong."""
    try:
        loss = load(given)
        values = {name: read(text) for name, text in given.values.items()}
        found = audit_as(loss, given.signature, given.num_classes, given.rows, values)
    except AuditError as error:
        return {"error": str(error)}
    except BaseException as error:  # a loss may raise anything
        return {"error": f"{where(_lines(error)) or given.loss}: {_words(error)}"}
    return {"text": str(found), "report": dataclasses.asdict(found)}


def load(given: Namespace) -> Any:
    """Import the module of a loss, and return the loss."""
    # To the loss, a label_smoothing in its folder comes before ours.
    for name in [name for name in sys.modules if name.split(".")[0] == "label_smoothing"]:
        del sys.modules[name]
    top = given.module.partition(".")[0]
    yours = PathFinder.find_spec(top, [str(given.folder)])
    loaded = getattr(sys.modules.get(top), "__file__", None)
    if yours and yours.origin and top in sys.modules and yours.origin != loaded:
        raise AuditError(f"{given.loss}: Python has loaded another {top}, rename yours")
    # Not only its own folder: some start their imports from that of the whole project.
    sys.path[:0] = dict.fromkeys(map(str, (given.folder, Path.cwd())))
    try:
        found = importlib.import_module(given.module)
    except BaseException as error:
        words = f"cannot be imported, {_words(error)}"
        if isinstance(error, SystemExit):
            words += f"; {ONLY_AS_A_SCRIPT}"
        elif isinstance(error, FileNotFoundError | ModuleNotFoundError):
            words += f"; it is looked for from {Path.cwd()}"
        raise AuditError(f"{where(_lines(error)) or given.loss}: {words}") from error
    if hasattr(found, "__path__") and not getattr(found, "__file__", None):
        raise AuditError(f"{given.module} is a folder, expected a file or a module in it")
    for name in given.name.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            there = ", ".join(_names(found, given.module)) or "none of its own"
            raise AuditError(
                f"{given.loss}: there is no {name}; its classes and functions: {there}"
            ) from None
    return found


def _names(found: object, module: str) -> Iterator[str]:
    """Return the classes and functions of a module, or of a class in it."""
    for name, value in getattr(found, "__dict__", {}).items():
        defined = inspect.isclass(value) or inspect.isfunction(value)
        own = defined and f"{value.__module__}.".startswith(f"{module}.")
        if own and not name.startswith("_"):
            yield name


def read(text: str) -> Any:
    """Read a number, a string in quotes, or the like; anything else is a string."""
    try:
        return float(text) if text in ("nan", "inf", "-inf") else ast.literal_eval(text)
    except (SyntaxError, TypeError, ValueError):
        return text


def _words(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else error
    return f"{type(error).__name__}: {text}".removesuffix(": ")


def _lines(error: BaseException) -> Iterator[tuple[str, int]]:
    """Return where an error comes from, innermost last, after where its cause does."""
    if error.__cause__:
        yield from _lines(error.__cause__)
    for frame, line in traceback.walk_tb(error.__traceback__):
        yield frame.f_code.co_filename, line
    if isinstance(error, SyntaxError):
        yield error.filename or "", error.lineno or 0
