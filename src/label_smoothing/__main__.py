"""The command ``python -m label_smoothing``.

Without arguments it runs both losses on the running example and prints the same number
twice. ``audit`` says what a loss of yours trains on.
"""

import argparse
import ast
import importlib
import operator
from collections.abc import Sequence
from typing import Any

from label_smoothing import LabelSmoothing, LabelSmoothingLoss, audit
from label_smoothing.example import logits, smoothing, target


def main(words: Sequence[str] | None = None) -> None:
    """Run the command, by default with the words of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m label_smoothing",
        description="Without a command: run both losses on the running example.",
    )
    command = parser.add_subparsers(dest="command").add_parser(
        "audit",
        help="say what a loss trains on",
        description="Import a loss, call it, and say what it trains on. This runs the "
        "code that you name, and nothing else.",
    )
    command.add_argument(
        "loss",
        metavar="module:name",
        help="a class or a function, such as torch.nn:CrossEntropyLoss",
    )
    command.add_argument(
        "--num-classes",
        type=int,
        required=True,
        metavar="K",
        help="how many classes to try it with",
    )
    command.add_argument(
        "arguments",
        nargs="*",
        metavar="name=value",
        help="what the loss itself needs, such as label_smoothing=0.1",
    )
    # Arguments that come after an option are in the rest.
    given, rest = parser.parse_known_args(words)
    if given.command is None:
        if rest:
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        print(LabelSmoothingLoss(smoothing)(logits, target))
        print(LabelSmoothing(smoothing)(logits, target))
        return
    arguments = {}
    for word in given.arguments + [word for word in rest if word != "--"]:
        name, equals, value = word.partition("=")
        if not (name.isidentifier() and equals):
            command.error(f"expected name=value, such as smoothing=0.1, got {word!r}")
        if name in arguments:
            command.error(f"{name} is given twice")
        arguments[name] = _value(value)
    module, _, name = given.loss.partition(":")
    if not (module and name):
        command.error(
            f"expected module:name, such as torch.nn:CrossEntropyLoss, got {given.loss!r}"
        )
    try:
        loss = operator.attrgetter(name)(importlib.import_module(module))
    except Exception as error:  # the module may raise anything
        command.error(f"cannot import {given.loss}: {error!r}")
    try:
        print(audit(loss, given.num_classes, **arguments))
    except Exception as error:
        command.error(f"cannot audit {given.loss}: {error}")


def _value(text: str) -> Any:
    """Read a number, a string in quotes, or the like; anything else is a string."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, TypeError, ValueError):
        return text


if __name__ == "__main__":
    main()
