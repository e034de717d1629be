"""The audit of a loss by its name: how it is found, and what is said if it is not."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from label_smoothing import audit, losses
from label_smoothing.__main__ import main
from label_smoothing.auditing import child, command

OURS = "label_smoothing"
LOSS = """
from torch.nn.functional import cross_entropy

def loss(logits, target, smoothing=0.1):
    return cross_entropy(logits, target, label_smoothing=smoothing)
"""


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start in an empty folder, and forget what is imported from it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    ours = {name: sys.modules[name] for name in sys.modules if name.startswith(OURS)}
    yield
    for name, module in [*sys.modules.items()]:
        if str(tmp_path) in str(module) or name.startswith(OURS):
            del sys.modules[name]
    sys.modules.update(ours)


def write(name: str, source: str) -> None:
    file = Path(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(dedent(source), "utf-8")


def answer(loss: str, *words: str) -> dict[str, Any]:
    """Audit a loss in this process."""
    try:
        given = command.parse(["audit", loss, "--num-classes=5", *words])
    except command.AuditError as error:
        return {"error": str(error)}
    return child.answer(given)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Audit a loss as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "label_smoothing", "audit", "--num-classes=5", *words],
        input="answered\n",
        capture_output=True,
        text=True,
        check=False,
    )


# --- where the loss is


@pytest.mark.parametrize(
    ("file", "loss"),
    [
        ("mine.py", "mine.py:loss"),
        ("mine.py", "./mine.py:loss"),
        ("mine.py", "{here}/mine.py:loss"),
        ("mine.py", "mine:loss"),
        ("deep/er/mine.py", "deep/er/mine.py:loss"),
        ("deep/er/mine.py", "deep/../deep/er/mine.py:loss"),
        ("deep/er/mine.py", "deep.er.mine:loss"),
        ("../above.py", "../above.py:loss"),
        ("with-dash.py", "with-dash.py:loss"),
    ],
)
def test_loss_is_in_a_file_or_a_module(file: str, loss: str) -> None:
    write(file, LOSS)
    found = answer(loss.format(here=Path.cwd()), "smoothing=0.2")
    assert found["report"]["torch_smoothing"] == pytest.approx(0.2)


@pytest.mark.parametrize("loss", ["a/pkg/sub/mine.py:loss", "a/pkg/sub/__init__.py:loss"])
def test_file_of_a_package_has_relative_imports(loss: str) -> None:
    write("a/pkg/__init__.py", "")
    write("a/pkg/given.py", LOSS)
    write("a/pkg/sub/__init__.py", "from .mine import loss")
    write("a/pkg/sub/mine.py", "from ..given import loss; from pkg.sub import mine")
    assert "report" in answer(loss)
    assert "pkg.sub.mine" in sys.modules
    assert "pkg.sub.__init__" not in sys.modules  # it would run twice


def test_file_finds_those_beside_it_and_those_of_the_current_folder() -> None:
    write("models/mine.py", "from beside import loss; import of_the_project.names")
    write("models/beside.py", LOSS)
    write("of_the_project/names.py", "")
    write("beside.py", "raise ValueError('not this one')")
    assert "report" in answer("models/mine.py:loss")


def test_attribute_of_a_class() -> None:
    write("mine.py", LOSS + "\nclass All:\n class Of:\n  given = staticmethod(loss)")
    assert "report" in answer("mine.py:All.Of.given")


@pytest.mark.parametrize(
    "loss",
    [
        "label_smoothing.py:loss",
        "label_smoothing:loss",
        "pkg/label_smoothing/losses.py:loss",
    ],
)
def test_file_of_our_name(loss: str) -> None:
    write("label_smoothing.py", LOSS)
    write("pkg/label_smoothing/__init__.py", "from .losses import loss")
    write("pkg/label_smoothing/losses.py", LOSS)
    assert answer(loss, "smoothing=0.2")["report"]["argument"] == "smoothing"


def test_our_losses_are_found_where_no_file_has_our_name() -> None:
    write("mine.py", "from label_smoothing import LabelSmoothing as Loss")
    assert "report" in answer("mine.py:Loss")
    assert "report" in answer("label_smoothing.losses:LabelSmoothing")


def test_file_that_is_hidden_by_a_module_of_python() -> None:
    write("typing.py", LOSS)
    for loss in "typing.py:loss", "typing:loss":
        expected = f"{loss}: Python has loaded another typing, rename yours"
        assert answer(loss) == {"error": expected}


@pytest.mark.parametrize(
    ("loss", "error"),
    [
        ("there", "expected losses.py:Name, or module:Name such as"),
        ("./there:loss", "./there is a folder, expected a file such as losses.py"),
        ("there/:loss", "there/ is a folder, expected a file such as losses.py"),
        ("there:loss", "there is a folder, expected a file or a module in it"),
        ("not.py:loss", "there is no Python file not.py"),
        ("my.loss.py:f", "Python cannot import a file of the name my.loss.py"),
        ("./text.txt:loss", "there is no Python file ./text.txt"),
        (
            "not_there:loss",
            "not_there:loss: cannot be imported, ModuleNotFoundError: "
            "No module named 'not_there'; it is looked for from {here}",
        ),
    ],
)
def test_what_is_no_file_and_no_module(loss: str, error: str) -> None:
    write("there/names.py", LOSS)
    write("text.txt", "")
    found = answer(loss)["error"]
    assert found.startswith(error.format(here=Path.cwd()))


def test_name_that_is_not_there() -> None:
    source = """
        from torch.nn import Module
        from torch.nn.functional import cross_entropy
        from part import given

        class Loss(Module):
            class Part: ...
            def forward(self): ...

        def _helper(): ...
        def loss(): ...
        number = 1
    """
    write("pkg/__init__.py", source.replace("from part", "from .part"))
    write("pkg/part.py", "def given(): ...")
    write("none.py", "import torch")
    expected = "there is no loose; its classes and functions: given, Loss, loss"
    assert answer("pkg:loose") == {"error": f"pkg:loose: {expected}"}
    expected = "there is no Prat; its classes and functions: Part, forward"
    assert answer("pkg:Loss.Prat") == {"error": f"pkg:Loss.Prat: {expected}"}
    expected = "there is no name; its classes and functions: none of its own"
    assert answer("none.py:name") == {"error": f"none.py:name: {expected}"}
    assert answer("pkg:number.name") == {"error": f"pkg:number.name: {expected}"}


# --- the audit


def test_function() -> None:
    found = answer("torch.nn.functional:nll_loss")
    assert found["text"].startswith("takes       log-probabilities, class indices\n")


def test_report_is_that_of_audit() -> None:
    expected = audit(losses.LabelSmoothing, 5, 12, smoothing=0.1, reduction="sum")
    words = "--rows=12", "smoothing=0.1", "reduction=sum"
    found = answer("label_smoothing.losses:LabelSmoothing", *words)
    assert found == {"text": str(expected), "report": asdict(expected)}


def test_loss_is_called_as_the_options_say() -> None:
    write(
        "mine.py",
        """
        from torch.nn.functional import cross_entropy

        def loss(target, logits):
            assert logits.shape == (1, 12, 5)
            return 0, cross_entropy(logits[0], target[0], label_smoothing=0.1)
        """,
    )
    options = "--layout=NTV", "--returns=-1", "--arguments=target,logits", "--rows=12"
    found = answer("mine.py:loss", *options)["report"]
    assert found["torch_smoothing"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["math:pi"], "TypeError: loss must be a class or a function, got float"),
        (
            ["torch.nn:NLLLoss", "--num-classes=1"],
            "ValueError: num_classes must be at least 2, got 1",
        ),
        (
            ["torch.nn:NLLLoss", "--rows=-1"],
            "ValueError: rows must be at least 2, got -1",
        ),
        (
            ["label_smoothing:LabelSmoothing", "smoothing=2"],
            "ValueError: smoothing must satisfy 0 <= smoothing < 1, got 2",
        ),
    ],
)
def test_what_the_audit_refuses(words: list[str], error: str) -> None:
    assert answer(*words) == {"error": f"{words[0]}: {error}"}


# --- what goes wrong


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (
            "import sys\nsys.exit(0)",
            "mine.py, line 2: cannot be imported, SystemExit: 0; "
            'put what is to run under `if __name__ == "__main__":`',
        ),
        (
            "import argparse\np = argparse.ArgumentParser()\np.add_argument('data')\n"
            "\np.parse_args(\n)",
            "mine.py, line 5: cannot be imported, SystemExit: 2; "
            'put what is to run under `if __name__ == "__main__":`',
        ),
        (
            "\nopen('settings.yaml')",
            "mine.py, line 2: cannot be imported, FileNotFoundError: "
            "[Errno 2] No such file or directory: 'settings.yaml'; "
            "it is looked for from {here}",
        ),
        (
            "x = 1\ndef loss(:",
            "mine.py, line 2: cannot be imported, SyntaxError: invalid syntax",
        ),
        (
            "def f():\n1",
            "mine.py, line 2: cannot be imported, IndentationError: "
            "expected an indented block after function definition on line 1",
        ),
        (
            "\n\nimport not_there",
            "mine.py, line 3: cannot be imported, ModuleNotFoundError: "
            "No module named 'not_there'; it is looked for from {here}",
        ),
        (
            "from .beside import x",
            "mine.py, line 1: cannot be imported, ImportError: "
            "attempted relative import with no known parent package",
        ),
        (
            "import json\njson.loads('')",
            "mine.py, line 2: cannot be imported, JSONDecodeError: "
            "Expecting value: line 1 column 1 (char 0)",
        ),
        ("assert False", "mine.py, line 1: cannot be imported, AssertionError"),
        (
            "raise KeyboardInterrupt",
            "mine.py, line 1: cannot be imported, KeyboardInterrupt",
        ),
        (
            "import part.of_it",
            "{part}, line 2: cannot be imported, ZeroDivisionError: division by zero",
        ),
        (
            "def g():\n  1 / 0\ntry:\n  g()\nexcept Exception as e:\n"
            "  raise ValueError('no') from e",
            "mine.py, line 6: cannot be imported, ValueError: no",
        ),
        (
            "exec('(')",
            "mine.py, line 1: cannot be imported, SyntaxError: '(' was never closed",
        ),
        (
            "def loss(logits, target):\n  return {}['x']",
            "mine.py, line 2: RuntimeError: loss works neither with class indices nor "
            "with probabilities: ",
        ),
        (
            "class loss:\n  def __init__(self):\n    raise KeyError('x')",
            "mine.py, line 3: KeyError: 'x'",
        ),
        (
            "import sys\nclass loss:\n  def __init__(self):\n    sys.exit('now')",
            "mine.py, line 4: SystemExit: now",
        ),
        (
            "def loss(logits, target, epsilon): ...",
            "mine.py:loss: RuntimeError: loss works neither with class indices nor with "
            "probabilities: ",
        ),
    ],
)
def test_what_the_code_of_the_loss_may_raise(
    source: str, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["mine.py"])
    write("mine.py", source)
    write("part/of_it.py", "\n1 / 0")
    found = answer("mine.py:loss")["error"]
    expected = error.format(here=Path.cwd(), part=Path("part", "of_it.py"))
    assert found == expected or (expected.endswith(": ") and found.startswith(expected))


def test_place_is_in_code_of_the_user(tmp_path: Path) -> None:
    package = tmp_path / "lib" / "site-packages" / "installed.py"
    write(str(package), "1 / 0")
    write("elsewhere/mine.py", "\nimport installed")
    write("elsewhere/here/empty.py", "")
    os.chdir("elsewhere/here")
    sys.path.append(str(package.parent))
    expected = f"{tmp_path.resolve() / 'elsewhere' / 'mine.py'}, line 2: cannot be"
    assert answer("../mine.py:loss")["error"].startswith(expected)
    expected = "installed:loss: cannot be imported, ZeroDivisionError: division by zero"
    assert answer("installed:loss") == {"error": expected}


@pytest.mark.parametrize(
    ("line", "how"),
    [
        (
            "os._exit(0)",
            'exits with status 0; put what is to run under `if __name__ == "__main__":`',
        ),
        (
            "ctypes.string_at(0)",
            f"crashes Python ({signal.strsignal(signal.SIGSEGV)}); "
            "--show-output shows what it prints",
        ),
    ],
)
def test_code_that_ends_the_process(line: str, how: str) -> None:
    write("mine.py", f"import ctypes, os\n\ndef end():\n    {line}\n\nend()")
    done = run("mine.py:loss")
    assert done.stderr == f"label-smoothing: error: mine.py, line 4: {how}\n"
    assert done.stdout == ""
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("raise SystemExit(3)", "exits with status 3"),
        ("import os; os.kill(os.getpid(), 9)", f"crashes Python ({signal.strsignal(9)})"),
    ],
)
def test_process_that_ends_without_a_trace(
    code: str, how: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(command, "CHILD", code)
    assert main(["audit", "mine:loss", "--num-classes=5"]) == 2
    expected = f"mine:loss: {how}; --show-output shows what it prints"
    assert capsys.readouterr().err == f"label-smoothing: error: {expected}\n"


# --- the process


NOISY = """
import atexit, os, subprocess, sys
from torch.nn.functional import cross_entropy

print("argv", *sys.argv)
os.write(1, b"by hand")
subprocess.run([sys.executable, "-Sc", "print('by a child')"])
print("to stderr", file=sys.stderr)
try:
    print(input())
except EOFError:
    print("no input")
atexit.register(os._exit, 3)

def loss(logits, target):
    print("called")
    return cross_entropy(logits, target)
"""


def test_output_of_the_loss_is_kept_back() -> None:
    write("mine.py", NOISY)
    done = run("mine.py:loss", "--json")
    assert done.stderr == ""
    assert json.loads(done.stdout)["reduction"] == "mean"
    assert done.returncode == 0


def test_output_of_the_loss_is_shown() -> None:
    write("mine.py", NOISY)
    done = run("mine.py:loss", "--json", "--show-output")
    for line in (
        "argv mine.py",
        "by hand",
        "by a child",
        "to stderr",
        "no input",
        "called",
    ):
        assert line in done.stderr
    assert json.loads(done.stdout)["reduction"] == "mean"
    assert done.returncode == 0


def test_json_has_no_nan(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    report = '{"error": [NaN, Infinity, -Infinity, 1.5]}'
    leave = f"import sys; open(sys.argv[1] + '/{command.REPLY}', 'w').write('{report}')"
    monkeypatch.setattr(command, "CHILD", leave)
    given = command.parse(["audit", "mine:loss", "--num-classes=5"])
    assert command.ask(given, []) == {"error": [None, None, None, 1.5]}


WAITS = """
import pathlib, time

pathlib.Path("started").touch()
time.sleep(100)
"""


def test_interrupt_ends_the_process_of_the_loss() -> None:
    write("mine.py", WAITS)
    start = (
        "import signal, sys; from label_smoothing.__main__ import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(main())"
    )
    words = ["audit", "mine.py:loss", "--num-classes=5", "--show-output"]
    process = subprocess.Popen(
        [sys.executable, "-c", start, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while not Path("started").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    # Both have stderr open until they end.
    assert process.communicate(timeout=30) == (b"", b"")
    assert process.returncode == 130
