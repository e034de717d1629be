import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
CI = Path(__file__).parents[1].joinpath(".ci", "run").read_text(encoding="utf-8")


def test_the_snippet_prints_what_stands_below_it() -> None:
    ((code, output),) = re.findall(
        r"```python\n(.*?)```\s+```text\n(.*?)```", README, re.S
    )
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})
    assert printed.getvalue() == output


def test_ci_runs_the_two_commands_of_the_readme() -> None:
    commands = re.findall(r"^\$ (.* nox -s \w+)$", README, re.M)
    assert len(commands) == 2
    for command in commands:
        assert command in CI


def test_the_console_shows_what_the_demo_prints() -> None:
    command = [sys.executable, "-m", "label_smoothing"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"$ python -m label_smoothing\n{printed}```" in README
