"""The command ``label-smoothing audit``: its words, and what is asked of a process.

To import a loss is to run code that may print, exit or crash. So the loss has a process
of its own, which runs :mod:`label_smoothing.auditing.child` with the same words.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import label_smoothing
from label_smoothing.auditing.signatures import Signature

CHILD = "from label_smoothing.auditing.child import main; main()"
REPLY, TRACE = "reply.json", "trace.txt"  # what the child leaves behind
ONLY_AS_A_SCRIPT = 'put what is to run under `if __name__ == "__main__":`'
NOT_YOURS = tuple(
    Path(folder).resolve()
    for folder in (sysconfig.get_path("stdlib"), *label_smoothing.__path__)
)


class AuditError(Exception):
    """What is wrong, in words for the user."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are raised."""

    def error(self, message: str) -> NoReturn:
        """Raise it."""
        raise AuditError(message)


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read the words of the command line."""
    parser = Parser(
        prog="label-smoothing",
        description="Without a command: run both losses on the running example.",
    )
    command = parser.add_subparsers(dest="command").add_parser(
        "audit",
        allow_abbrev=False,
        help="say what a loss trains on",
        description="Import a loss, call it, and say what it trains on. This runs the "
        "code that you name, in a process of its own. The exit status is 0 if nothing is "
        "found, 1 if something is suspicious, and 2 if the loss cannot be audited.",
    )
    add = command.add_argument
    add(
        "loss",
        metavar="losses.py:Name",
        help="a class or a function, of a file or of a module: torch.nn:CrossEntropyLoss",
    )
    add(
        "named",
        nargs="*",
        default=[],  # or it would be listed among what is required
        metavar="name=value",
        help="what the loss itself needs, such as label_smoothing=0.1",
    )
    add(
        "--num-classes",
        type=int,
        required=True,
        metavar="K",
        help="how many classes to try it with",
    )
    add("--rows", type=int, metavar="R", help="how many rows to try it with")
    add(
        "--layout",
        default="NV",
        help="the dimensions of the logits, a letter for each, with V, C or K for the "
        "classes: NV (default), NTV, NCHW, ...",
    )
    add(
        "--returns",
        type=_key,
        metavar="KEY",
        help="the index, key or attribute of the loss in what is returned",
    )
    add(
        "--arguments",
        default="logits,target",
        metavar="ORDER",
        help="logits,target (default) or target,logits",
    )
    add("--json", action="store_true", help="print the report as a JSON object")
    add(
        "--show-output",
        action="store_true",
        help="show on stderr what your code prints",
    )
    # What comes after an option is in the rest.
    given, rest = parser.parse_known_args(words)
    if not given.command:
        if rest:
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        return given
    given.values = {}
    for word in given.named + [word for word in rest if word != "--"]:
        name, equals, value = word.partition("=")
        if not (name.isidentifier() and equals):
            command.error(f"expected name=value, such as smoothing=0.1, got {word!r}")
        name = unicodedata.normalize("NFKC", name)  # as Python itself reads a name
        if name in given.values:
            command.error(f"{name} is given twice")
        given.values[name] = value
    order = tuple(given.arguments.split(","))
    try:
        given.signature = Signature(given.layout, given.returns, order)
    except ValueError as error:
        command.error(str(error))
    given.folder, given.module, given.name = locate(given.loss)
    return given


def _key(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def locate(loss: str) -> tuple[Path, str, str]:
    """Return the folder to import a loss from, its module, and its name there."""
    place, _, name = loss.rpartition(":")
    if not place or not all(part.isidentifier() for part in name.split(".")):
        raise AuditError(
            "expected losses.py:Name, or module:Name such as torch.nn:CrossEntropyLoss, "
            f"got {loss!r}"
        )
    if not place.endswith(".py") and not {os.sep, os.altsep} & {*place}:
        return Path.cwd(), place, name
    file = Path(place).resolve()
    if file.is_dir():
        raise AuditError(f"{place} is a folder, expected a file such as losses.py")
    if "." in file.stem:
        raise AuditError(f"Python cannot import a file of the name {file.name}")
    if file.suffix != ".py" or not file.is_file():
        raise AuditError(f"there is no Python file {place}")
    folder = file.parent
    parts = [] if file.stem == "__init__" else [file.stem]
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts), name


def audit(given: argparse.Namespace, words: Sequence[str]) -> int:
    """Print the report, and return the exit status."""
    reply = ask(given, words)
    if "error" in reply:
        raise AuditError(reply["error"])
    print(json.dumps(reply["report"]) if given.json else reply["text"])
    return 1 if reply["report"]["suspicious"] else 0


def ask(given: argparse.Namespace, words: Sequence[str]) -> dict[str, Any]:
    """Let another process audit the loss, and return its reply."""
    output = 2 if given.show_output else subprocess.DEVNULL
    with tempfile.TemporaryDirectory() as folder:
        reply, trace = Path(folder, REPLY), Path(folder, TRACE)
        trace.touch()
        status = subprocess.run(
            # With -P, no file in the current folder is taken for a module of ours.
            [sys.executable, "-P", "-c", CHILD, folder, *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        ).returncode
        if reply.exists():
            # JSON has no nan and no infinity.
            said = json.loads(reply.read_text("utf-8"), parse_constant=lambda name: None)
            return dict(said)
        lines = re.findall(r'File "(.+)", line (\d+) in', trace.read_text("utf-8"))
    place = where((file, int(line)) for file, line in reversed(lines))
    how, next_step = f"exits with status {status}", "--show-output shows what it prints"
    if status < 0:
        how = f"crashes Python ({signal.strsignal(-status)})"
    elif place:
        next_step = ONLY_AS_A_SCRIPT
    return {"error": f"{place or given.loss}: {how}; {next_step}"}


def where(lines: Iterable[tuple[str, int]]) -> str:
    """Return the last of these lines that is in code of the user, or nothing."""
    place = ""
    for name, line in lines:
        file = Path(name)
        if (
            file.is_file()
            and not {"site-packages", "dist-packages"} & {*file.parts}
            and not any(map(file.resolve().is_relative_to, NOT_YOURS))
        ):
            here = file.is_relative_to(Path.cwd())
            place = f"{file.relative_to(Path.cwd()) if here else file}, line {line}"
    return place
