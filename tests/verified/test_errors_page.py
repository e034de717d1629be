"""Every error that the package raises is on the page of errors."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
PRINTED = [
    line
    for output in re.findall(r"^```{testoutput}\n(.*?)^```", PAGE, re.M | re.S)
    for line in output.splitlines()
]
# A command prints its error behind its name, and where in a file it is.
TYPED = re.findall("^label-smoothing: error: (.*)$", PAGE, re.M)


# These have the words of an error that was raised before.
PASSED_ON = ("AuditError(message)", "AuditError(reply['error'])")


def pattern(message: ast.expr) -> str:
    """Return what a literal message looks like when it is printed."""
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    return "".join(
        ".*" if isinstance(part, ast.FormattedValue) else re.escape(part.value)
        for part in parts
    )


def raised() -> list[pytest.param]:
    found = []
    for file in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and node.exc is not None:
                found.append(pytest.param(node.exc, id=f"{file.stem}:{node.lineno}"))
    return found


@pytest.mark.parametrize("error", raised())
def test_error_is_on_the_page(error: ast.expr) -> None:
    assert isinstance(error, ast.Call), "raise an error with a message"
    (message,) = error.args
    if ast.unparse(error) in PASSED_ON:
        return
    printed = pattern(message)
    found = any(re.fullmatch(printed, line) for line in PRINTED)
    assert found or any(re.search(printed, line) for line in TYPED), printed


def test_nothing_is_overlooked() -> None:
    source = "".join(f.read_text(encoding="utf-8") for f in (ROOT / "src").rglob("*.py"))
    assert len(raised()) == len(re.findall(r"^ +raise \w+\(", source, re.M)) > 30
