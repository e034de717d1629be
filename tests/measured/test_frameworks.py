"""What ``nox -s frameworks`` runs, and the file that it has written.

No library is needed here: the scripts print what they were told.
"""

import copy
import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest
from measured.frameworks import __main__ as frameworks

RECORD = json.loads(frameworks.RECORD.read_text(encoding="utf-8"))
ROOT = Path(__file__).parents[2]
PINS = "docs/measured/frameworks/frameworks.txt"


def pins(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^([\w-]+)==(\S+)$", text))


def test_every_script_has_run_with_the_pinned_versions() -> None:
    assert RECORD.keys() == {path.name for path in frameworks.SCRIPTS.glob("*.py")}
    pinned = pins("constraints.txt") | pins(PINS)
    for row in RECORD.values():
        assert row["versions"].items() <= pinned.items()


def test_the_pins_agree_with_those_of_the_site() -> None:
    both = pins("constraints.txt").keys() & pins(
        "docs/measured/frameworks/frameworks.txt"
    )
    assert both == set()


@pytest.mark.parametrize("name", RECORD)
def test_the_losses_of_a_library_and_of_torch_are_equal(name: str) -> None:
    printed = dict(re.split(" {2,}", line) for line in RECORD[name]["printed"])
    assert printed.get("smoothed loss") == printed.get("in PyTorch")
    assert ("in PyTorch" in printed) == (name != "train_lightning.py")
    assert float(printed["hard loss"]) < float(printed.get("in PyTorch", "inf"))


def test_a_script_runs_as_a_reader_would_run_it(tmp_path: Path) -> None:
    script = tmp_path / "train_pytest.py"
    script.write_text(
        "import os, sys\nprint(sys.argv == [__file__], __name__, os.listdir())\n"
        "print('aside', file=sys.stderr)\nprint('tests' in sys.modules)\n"
    )
    row = frameworks.run(script)
    assert row["printed"] == ["True __main__ []", "False"]
    assert row["versions"]["pytest"] == version("pytest")
    assert row["sha256"] == frameworks.digest(script.read_text(), row)


def test_a_script_that_fails_is_named(tmp_path: Path) -> None:
    script = tmp_path / "train_pytest.py"
    script.write_text("1 / 0\n")
    with pytest.raises(SystemExit, match=r"train_pytest\.py: exit status 1"):
        frameworks.run(script)


def test_what_moved_is_told() -> None:
    assert list(frameworks.differences(RECORD, RECORD)) == []
    moved = copy.deepcopy(RECORD)
    moved["train_timm.py"]["printed"][0] = "smoothed loss  9"
    moved["train_keras.py"]["sha256"] = ""
    del moved["train_lightning.py"]
    keras, *lightning, timm = frameworks.differences(moved, RECORD)
    assert keras == "train_keras.py: is not the script that ran, or its record changed"
    assert [line.split(": ")[1] for line in lightning] == ["versions", "printed"]
    assert timm.startswith("train_timm.py: printed: ['smoothed loss  0.813', ")
    assert "is now ['smoothed loss  9', " in timm
