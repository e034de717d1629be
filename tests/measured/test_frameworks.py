"""What ``nox -s frameworks`` runs, and what it has recorded.

No library is needed here: the scripts print what they were told.
"""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
from measured import rows
from measured.frameworks import __main__ as frameworks

RECORD = rows.read(frameworks.RECORD)
ROOT = Path(__file__).parents[2]


def pins(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^([\w-]+)==(\S+)$", text))


def test_every_script_has_run_with_the_pinned_versions() -> None:
    scripts = sorted(path.name for path in frameworks.SCRIPTS.glob("*.py"))
    assert [row["script"] for row in RECORD] == scripts
    site, own = map(pins, ("constraints.txt", "docs/measured/frameworks/frameworks.txt"))
    assert not site.keys() & own.keys()
    for row in RECORD:
        assert row["versions"].items() <= (site | own).items()


@pytest.mark.parametrize("row", RECORD, ids=lambda row: row["script"])
def test_the_losses_of_a_library_and_of_torch_are_equal(row: rows.Row) -> None:
    printed = dict(re.split(" {2,}", line) for line in row["printed"])
    assert printed.get("smoothed loss") == printed.get("in PyTorch")
    assert ("in PyTorch" in printed) == (row["script"] != "train_lightning.py")
    assert float(printed["hard loss"]) < float(printed.get("in PyTorch", "inf"))


def test_a_script_runs_as_a_reader_would_run_it(tmp_path: Path) -> None:
    script = tmp_path / "train_pytest.py"
    script.write_text(
        "import os, sys\nprint(sys.argv == [__file__], __name__, os.listdir())\n"
        "print('aside', file=sys.stderr)\nprint('tests' in sys.modules)\n"
    )
    row = frameworks.run(script)
    assert row["script"] == script.name
    assert row["printed"] == ["True __main__ []", "False"]
    assert row["versions"]["pytest"] == version("pytest")
    assert row["sha256"] == frameworks.fingerprint(script.read_text(), row)


def test_a_script_that_fails_is_named(tmp_path: Path) -> None:
    script = tmp_path / "train_pytest.py"
    script.write_text("1 / 0\n")
    with pytest.raises(SystemExit, match=r"train_pytest\.py: exit status 1"):
        frameworks.run(script)
