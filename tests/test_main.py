"""The command ``python -m label_smoothing``."""

import subprocess
import sys


def test_prints_both_losses() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "label_smoothing"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "tensor(1.3883)\n" * 2


def test_prints_nothing_when_it_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import label_smoothing.__main__"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
