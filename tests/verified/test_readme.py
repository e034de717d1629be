import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_ci_runs_the_two_commands_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ (.* nox -s \w+)$", readme, re.M)
    assert len(commands) == 2
    for command in commands:
        assert command in ci
