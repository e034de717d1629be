"""The command ``python -m label_smoothing``."""

import subprocess
import sys
from pathlib import Path

import pytest

from label_smoothing import audit, losses
from label_smoothing.__main__ import main

MODULE = """
import torch.nn.functional as F

class Losses:
    class Others:
        def __init__(self, smoothing, *, kind="plain", shift=None):
            self.smoothing, self.kind, self.shift = smoothing, kind, shift

        def __call__(self, logits, target):
            assert (self.kind, self.shift) == ("fancy", [1, 2])
            return F.cross_entropy(logits, target, label_smoothing=self.smoothing)
"""


def run(*words: str, cwd: Path | None = None) -> str:
    command = [sys.executable, "-m", "label_smoothing", *words]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=True
    ).stdout


def test_prints_both_losses() -> None:
    assert run() == "tensor(1.3883)\n" * 2


def test_prints_nothing_when_it_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import label_smoothing.__main__"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""


def test_audits_a_loss_of_the_folder_it_runs_in(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MODULE, encoding="utf-8")
    printed = run(
        "audit",
        "mine:Losses.Others",
        "--num-classes",
        "5",
        "smoothing=0.1",
        "kind=fancy",
        "shift=[1, 2]",
        cwd=tmp_path,
    )
    assert "convention  uniform, with smoothing=0.1\n" in printed


OPTION = ["--num-classes", "10"]
ARGUMENTS = ["smoothing=0.1", "reduction=sum"]


@pytest.mark.parametrize(
    "words",
    [[*ARGUMENTS, *OPTION], [*OPTION, *ARGUMENTS], [*OPTION, "--", *ARGUMENTS]],
)
def test_arguments_come_before_or_after_the_option(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["audit", "label_smoothing.losses:LabelSmoothing", *words])
    expected = audit(losses.LabelSmoothing, 10, smoothing=0.1, reduction="sum")
    assert capsys.readouterr().out == f"{expected}\n"


def test_function(capsys: pytest.CaptureFixture[str]) -> None:
    main(["audit", "torch.nn.functional:nll_loss", "--num-classes=3"])
    printed = capsys.readouterr().out
    assert printed.startswith("takes       log-probabilities, class indices\n")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ["torch.nn", "--num-classes=5"],
            "expected module:name, such as torch.nn:CrossEntropyLoss, got 'torch.nn'",
        ),
        (
            [":name", "--num-classes=5"],
            "expected module:name, such as torch.nn:CrossEntropyLoss, got ':name'",
        ),
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
            ["no_such_module:Loss", "--num-classes=5"],
            "cannot import no_such_module:Loss: "
            "ModuleNotFoundError(\"No module named 'no_such_module'\")",
        ),
        (
            ["torch.nn:NoLoss", "--num-classes=5"],
            "cannot import torch.nn:NoLoss: "
            "AttributeError(\"module 'torch.nn' has no attribute 'NoLoss'\")",
        ),
        (
            ["math:pi", "--num-classes=5"],
            "cannot audit math:pi: loss must be a class or a function, got float",
        ),
        (
            ["torch.nn:NLLLoss", "--num-classes=1"],
            "cannot audit torch.nn:NLLLoss: num_classes must be at least 2, got 1",
        ),
        (
            ["label_smoothing:LabelSmoothing", "smoothing=2", "--num-classes=5"],
            "cannot audit label_smoothing:LabelSmoothing: "
            "smoothing must satisfy 0 <= smoothing < 1, got 2",
        ),
        (["torch.nn:NLLLoss"], "the following arguments are required: --num-classes"),
    ],
)
def test_errors_say_what_is_wrong(
    words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["audit", *words])
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.endswith(f"python -m label_smoothing audit: error: {error}\n")


def test_module_that_fails_while_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fails.py").write_text("1 / 0", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SystemExit):
        main(["audit", "fails:Loss", "--num-classes=5"])
    error = "cannot import fails:Loss: ZeroDivisionError('division by zero')"
    assert capsys.readouterr().err.endswith(f"error: {error}\n")


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
    with pytest.raises(SystemExit):
        main(words)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.endswith(f"python -m label_smoothing: error: {error}\n")


def test_help_says_what_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    printed = capsys.readouterr().out
    assert "Without a command: run both losses on the running example." in printed
    assert "audit     say what a loss trains on" in printed
    with pytest.raises(SystemExit):
        main(["audit", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "This runs the code that you name, and nothing else." in printed
    assert "module:name a class or a function" in printed
