import subprocess
import sys
from pathlib import Path

import pytest
from noxfile import differences


def test_two_builds_are_compared_byte_for_byte(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for root, address in ((one, b"0x7f12"), (other, b"0x7f34")):
        (root / "learn").mkdir(parents=True)
        (root / "same.html").write_bytes(b"the same")
        (root / "learn" / "page.html").write_bytes(b"<p>\n<a at " + address)
        (root / "shorter.png").write_bytes(address[:3])
    (one / "shorter.png").write_bytes(b"0x")
    (other / "only.svg").touch()

    assert list(differences(one, other)) == [
        "learn/page.html, line 2: b'<p>\\n<a at 0x7f12' or b'<p>\\n<a at 0x7f34'",
        "only.svg: in one of the builds only",
        "shorter.png, line 1: b'0x' or b'0x7'",
    ]


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
