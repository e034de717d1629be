import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("given", ["--torch=new", "--torch 2.14.1", "--torch=2.14", "2"])
def test_a_torch_that_is_no_version_is_refused(given: str) -> None:
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "nox",
            "-s",
            "docs",
            "--no-venv",
            "--no-install",
            "--",
            *given.split(),
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode != 0
    assert (
        f"expected one of --torch=2.14.1, --torch=newest, --record; given {given}"
        in ran.stderr
    )


def test_the_browser_session_asks_for_a_site(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    for name in ("noxfile.py", "pyproject.toml"):
        (tmp_path / name).write_text((root / name).read_text(encoding="utf-8"), "utf-8")
    nox = [sys.executable, "-m", "nox", "-s", "browser", "--no-venv", "--no-install"]
    ran = subprocess.run(nox, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert "no docs/_build/html to look at: run nox -s docs first" in ran.stderr
