"""What the sessions of nox demand, and what they hand on."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from unittest.mock import Mock

import pytest

ROOT = Path(__file__).parents[2]


def says(root: Path, session: str, *given: str) -> str:
    """Return what a session that must fail says."""
    nox = (sys.executable, "-m", "nox", "--no-venv", "--no-install", "-s", session, "--")
    ran = subprocess.run((*nox, *given), cwd=root, stderr=-1, text=True, check=False)
    assert ran.returncode != 0
    return ran.stderr


@pytest.mark.parametrize("given", ["--torch=new", "--torch 2.14.1", "--torch=2.14", "2"])
def test_a_torch_that_is_no_version_is_refused(given: str) -> None:
    expected = "expected one of --torch=2.14.1, --torch=newest, --record"
    assert f"{expected}; given {given}" in says(ROOT, "docs", *given.split())


def test_the_browser_session_asks_for_a_site(tmp_path: Path) -> None:
    for name in ("noxfile.py", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), "utf-8")
    said = says(tmp_path, "browser")
    assert "no docs/_build/html to look at: run nox -s docs first" in said


@pytest.mark.parametrize(
    ("given", "on_one_core"),
    [
        ("", False),
        ("-k docs", False),
        ("-x -m tests", False),
        ("tests/library/test_losses.py -k docs", True),
        ("-x tests/library", True),
        ("tests/library/test_losses.py::test_it", True),
        ("--torch=2.6.0 -x tests/library", True),
        ("--torch=newest", False),
    ],
)
def test_a_word_after_an_option_is_no_path(
    given: str, on_one_core: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(ROOT)
    session = Mock(posargs=given.split())
    import_module("noxfile").run_tests(session, "tests/figures")
    options = () if on_one_core else ("-n", "auto", "tests/figures")
    handed_on = [word for word in session.posargs if not word.startswith("--torch")]
    session.run.assert_called_once_with("pytest", "--mpl", *options, *handed_on)


def test_another_torch_takes_the_place_of_the_pinned_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(ROOT)
    session = Mock(posargs=["--torch=2.6.0"], create_tmp=lambda: tmp_path)
    options = import_module("noxfile").pinned(session)
    pins = Path(options[1]).read_text(encoding="utf-8")
    assert re.findall(r"(?m)^(?:torch|sympy)==.*", pins) == ["torch==2.6.0"]
