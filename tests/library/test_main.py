"""The command ``label-smoothing``: its words, its exit status and its errors."""

import inspect
import json
import os
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from label_smoothing.__main__ import main
from label_smoothing.auditing import child, command
from label_smoothing.auditing.signatures import Signature

SCRIPT = "import sys; from label_smoothing.__main__ import main; sys.exit(main())"


def run(
    *words: str, cwd: Path | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "label_smoothing", *words],
        cwd=cwd,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_prints_both_losses() -> None:
    assert run().stdout == "tensor(1.3883)\n" * 2


def test_prints_nothing_when_it_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import label_smoothing.__main__"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""


def test_is_installed_as_a_command() -> None:
    project = Path(__file__).parents[2] / "pyproject.toml"
    scripts = tomllib.loads(project.read_text("utf-8"))["project"]["scripts"]
    assert [*scripts] == ["label-smoothing"]
    entry = EntryPoint("label-smoothing", scripts["label-smoothing"], "console_scripts")
    assert entry.load() is main


HIDES = """
from torch.nn.functional import cross_entropy

print("not the command")

def LabelSmoothing(logits, target):
    return cross_entropy(logits, target, label_smoothing=0.2)
"""


def test_no_file_hides_the_command(tmp_path: Path) -> None:
    (tmp_path / "label_smoothing.py").write_text(HIDES, "utf-8")
    (tmp_path / "losses.py").write_text("from label_smoothing import LabelSmoothing as L")
    script = tmp_path / "bin" / "label-smoothing"  # it starts as an installed one does
    script.parent.mkdir()
    script.write_text(SCRIPT, "utf-8")
    done = subprocess.run(
        [sys.executable, script, "audit", "losses.py:L", "--num-classes=4", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    # The smoothing of ours is 0.1 by default.
    assert json.loads(done.stdout)["torch_smoothing"] == pytest.approx(0.2)


LOSSES = """
import torch.nn.functional as F

class Losses:
    class Others:
        def __init__(self, ϵ, *, kind="plain", shift=None):
            self.smoothing, self.kind, self.shift = ϵ, kind, shift

        def __call__(self, logits, target):
            assert (self.kind, self.shift) == ("fancy", [1, 2])
            return F.cross_entropy(logits, target, label_smoothing=self.smoothing)
"""


def test_audits_a_loss_of_the_folder_it_runs_in(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(LOSSES, encoding="utf-8")
    words = ["ϵ=0.1", "--num-classes", "5", "kind=fancy", "shift=[1, 2]"]
    done = run(
        "audit", "mine:Losses.Others", *words, cwd=tmp_path, PYTHONIOENCODING="ascii"
    )
    assert done.stderr == ""
    assert "convention  uniform, with \\u03b5=0.1\n" in done.stdout
    assert done.returncode == 1


LOSS = ["audit", "mine:Loss", "--num-classes=5"]
ARGUMENTS = ["smoothing=0.1", "reduction=sum"]


@pytest.mark.parametrize(
    "words",
    [
        ["mine:Loss", *ARGUMENTS, "--num-classes", "10", "--rows=12"],
        ["mine:Loss", "--num-classes", "10", *ARGUMENTS, "--rows=12"],
        ["mine:Loss", "--num-classes", "10", "--rows=12", "--", *ARGUMENTS],
        ["mine:Loss", ARGUMENTS[0], "--rows=12", "--num-classes=10", ARGUMENTS[1]],
        ["--num-classes=10", "--rows=12", "mine:Loss", *ARGUMENTS],
    ],
)
def test_arguments_come_before_or_after_the_options(words: list[str]) -> None:
    given = command.parse(["audit", *words])
    assert given.values == {"smoothing": "0.1", "reduction": "sum"}
    assert (given.loss, given.num_classes, given.rows) == ("mine:Loss", 10, 12)


def test_without_options_a_loss_is_called_as_usual() -> None:
    given = command.parse(LOSS)
    assert given.signature == Signature()
    assert (given.rows, given.values) == (None, {})


@pytest.mark.parametrize(("text", "key"), [("0", 0), ("-1", -1), ("loss", "loss")])
def test_options_say_how_a_loss_is_called(text: str, key: int | str) -> None:
    options = ["--layout", "NTV", "--arguments", "target,logits", "--returns", text]
    found = command.parse([*LOSS, *options]).signature
    assert found == Signature("NTV", key, ("target", "logits"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", 0.1),
        ("-1", -1),
        ("True", True),
        ("None", None),
        ("[1, 2]", [1, 2]),
        ("'0.1'", "0.1"),
        ("mean", "mean"),
        ("a b", "a b"),
        ("", ""),
        ("x=y", "x=y"),
        ("inf", float("inf")),
        ("-inf", -float("inf")),
        ("[] + 1", "[] + 1"),
        ("{[]: 1}", "{[]: 1}"),
    ],
)
def test_values(text: str, value: object) -> None:
    found = child.read(command.parse([*LOSS, f"name={text}"]).values["name"])
    assert (found, type(found)) == (value, type(value))


def test_value_that_is_not_a_number() -> None:
    found = child.read("nan")
    assert isinstance(found, float)
    assert found != found


def test_names_are_those_of_python() -> None:
    values = command.parse([*LOSS, "ϵ=0.1", "ﬁt=1"]).values  # ϵ is U+03F5
    assert values == {"\u03b5": "0.1", "fit": "1"}

    def loss(ϵ: float, ﬁt: float) -> None: ...

    assert [*values] == [*inspect.signature(loss).parameters]


EXPECTED = (
    "expected losses.py:Name, or module:Name such as torch.nn:CrossEntropyLoss, got "
)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["torch.nn", "--num-classes=5"], EXPECTED + "'torch.nn'"),
        (["losses.py", "--num-classes=5"], EXPECTED + "'losses.py'"),
        ([":name", "--num-classes=5"], EXPECTED + "':name'"),
        (["losses.py:", "--num-classes=5"], EXPECTED + "'losses.py:'"),
        (["losses.py:a.", "--num-classes=5"], EXPECTED + "'losses.py:a.'"),
        (
            ["torch.nn:NLLLoss", "--num-classes=5", "reduction"],
            "expected name=value, such as smoothing=0.1, got 'reduction'",
        ),
        (
            ["torch.nn:NLLLoss", "--num-classes=5", "=sum"],
            "expected name=value, such as smoothing=0.1, got '=sum'",
        ),
        (
            ["torch.nn:NLLLoss", "--num-classes=5", "-"],
            "expected name=value, such as smoothing=0.1, got '-'",
        ),
        (
            ["torch.nn:NLLLoss", "--num-classes=5", "--smoothing=0.1"],
            "expected name=value, such as smoothing=0.1, got '--smoothing=0.1'",
        ),
        (
            ["torch.nn:NLLLoss", "--num-classes=5", "--js"],
            "expected name=value, such as smoothing=0.1, got '--js'",
        ),
        (
            ["torch.nn:NLLLoss", "--num-classes=5", "ϵ=1", "\u03b5=1"],
            "\u03b5 is given twice",
        ),
        (
            ["torch.nn:NLLLoss", "--num-classes=5", "--layout=NT"],
            "layout must be two or more different letters, one of them V, C or K for the "
            "classes, such as NV or NTV, got 'NT'",
        ),
        (
            ["torch.nn:NLLLoss", "--num-classes=5", "--arguments=logits"],
            "arguments must be logits and target, in the order of the loss, got logits",
        ),
        (
            ["torch.nn:NLLLoss", "--num-classes=five"],
            "argument --num-classes: invalid int value: 'five'",
        ),
        (["torch.nn:NLLLoss"], "the following arguments are required: --num-classes"),
    ],
)
def test_errors_say_what_is_wrong(
    words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", *words]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"label-smoothing: error: {error}\n"
    assert main(["audit", *words, "--json"]) == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"error": error}
    assert printed.err == ""


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--loud"], "unrecognized arguments: --loud"),
        (["--loud", "--fast"], "unrecognized arguments: --loud --fast"),
    ],
)
def test_unknown_options(
    words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"label-smoothing: error: {error}\n"


@pytest.mark.parametrize(("found", "status"), [([], 0), (["a mistake"], 1)])
def test_exit_status_says_whether_something_is_suspicious(
    found: list[str],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    reply = {"text": "the report", "report": {"suspicious": found}}
    monkeypatch.setattr(command, "ask", lambda given, words: reply)
    assert main(LOSS) == status
    assert capsys.readouterr().out == "the report\n"
    assert main([*LOSS, "--json"]) == status
    assert json.loads(capsys.readouterr().out) == {"suspicious": found}


def test_loss_that_cannot_be_audited(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reply = {"error": "what is wrong"}
    monkeypatch.setattr(command, "ask", lambda given, words: reply)
    assert main(LOSS) == 2
    assert capsys.readouterr() == ("", "label-smoothing: error: what is wrong\n")
    assert main([*LOSS, "--json"]) == 2
    assert capsys.readouterr() == ('{"error": "what is wrong"}\n', "")


def test_interrupt_is_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ask(given: object, words: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "ask", ask)
    assert main(LOSS) == 130
    assert capsys.readouterr() == ("", "")


def test_help_says_what_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    printed = capsys.readouterr().out
    assert "Without a command: run both losses on the running example." in printed
    assert "audit     say what a loss trains on" in printed
    with pytest.raises(SystemExit):
        main(["audit", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "This runs the code that you name, in a process of its own." in printed
    assert "losses.py:Name a class or a function" in printed
