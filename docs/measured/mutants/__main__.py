"""Change the library bit by bit, and demand that a test fails each time.

cosmic-ray makes the changes: another operator, another comparison, a number one off, a
condition turned round. Each module is tried with its own tests, in a copy of the
repository. A change that no test can notice has a row in ``equivalent.csv``: the module,
the function, the operator as cosmic-ray names it, which of its changes in functions of
this name it is, counted from 1, and the reason. ``counts.csv`` is for the site.
"""

import csv
import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SRC = ROOT / "src" / "label_smoothing"
FILES = (path.relative_to(SRC) for path in SRC.rglob("*.py") if path.stem != "__init__")
MODULES = sorted(path.with_suffix("").as_posix() for path in FILES)
ROWS = csv.reader((HERE / "equivalent.csv").read_text("utf-8").splitlines()[1:])
REASONS = {",".join(cells): reason for *cells, reason in ROWS}
# A change that is a type error says nothing about the tests, so it is not tried.
UNTRIED = re.compile(
    "ReplaceBinaryOperator_(BitOr_.*|.*_(BitAnd|BitOr|BitXor|FloorDiv|LShift|Mod|RShift))"
    "|ReplaceComparisonOperator_.*_Is(Not)?|ReplaceUnaryOperator_USub_(Invert|Not)"
)
PYTEST = f"{sys.executable} -m pytest -xq --mpl --hypothesis-profile=mutants"


def keyed(module: str, changes: list[Any]) -> dict[str, Any]:
    """Return the changes to try, each by the cells of its row before the reason."""
    found, numbers = {}, Counter[str]()
    for change in sorted(changes, key=lambda change: change.occurrence):
        operator = change.operator_name.removeprefix("core/")
        key = f"{module},{change.definition_name or ''},{operator}"
        numbers[key] += 1
        if not UNTRIED.fullmatch(operator):
            found[f"{key},{numbers[key]}"] = change
    return found


def mutate(folder: Path, module: str) -> dict[str, str]:
    """Try each change of a module; return its diff if no test fails, and else nothing."""
    from cosmic_ray import commands, mutating, testing, work_db

    listed = ("git", "ls-files", "-z", "src", "tests", "conftest.py", "pyproject.toml")
    for file in subprocess.check_output(listed, cwd=ROOT, text=True).split("\0")[:-1]:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes((ROOT / file).read_bytes())
    own = f"library/test_{Path(module).name.strip('_')}*.py"
    tests = "figures" if module.startswith("figures/") else own
    command = f"sh -c 'cd {folder} && PYTHONPATH=src exec {PYTEST} tests/{tests}'"
    outcome, output = testing.run_tests(command, timeout=300)
    if outcome != "survived":
        raise RuntimeError(f"{module}: a test fails without a change: {output}")
    with work_db.use_db(folder / "changes.sqlite") as database:
        commands.init([folder / "src" / "label_smoothing" / f"{module}.py"], database, {})
        changes = [item.mutations[0] for item in database.work_items]
    found = {}
    for key, change in keyed(module, changes).items():
        out = mutating.mutate_and_test([change], command, timeout=300)
        found[key] = "" if out.test_outcome == "killed" else f"{out.diff or out.output}"
    return found


def judge(found: dict[str, str], explained: set[str]) -> tuple[str, list[str]]:
    """Count the changes, the caught and the explained, and say what is wrong."""
    left = {key for key, diff in found.items() if diff}
    wrong = [f"no test fails: {key}\n{found[key]}" for key in left - explained]
    wrong += [f"explained, but caught or gone: {key}" for key in explained - left]
    return f"{len(found)},{len(found) - len(left)},{len(left & explained)}", sorted(wrong)


def main(modules: list[str]) -> None:
    """Try these modules, and write what came of each into its row of counts.csv."""
    if unknown := sorted({*modules} - {*MODULES}):
        sys.exit(f"expected some of {', '.join(MODULES)}; given {', '.join(unknown)}")
    head, *lines = (HERE / "counts.csv").read_text("utf-8").splitlines()
    counts, failures = dict(line.split(",", 1) for line in lines), []
    with TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        tried = pool.map(lambda name: mutate(Path(folder, name), name), modules)
        for module, found in zip(modules, tried, strict=True):
            explained = {key for key in REASONS if key.startswith(f"{module},")}
            counts[f"src/label_smoothing/{module}.py"], wrong = judge(found, explained)
            failures += wrong
    lines = [",".join(row) for row in sorted(counts.items()) if (ROOT / row[0]).exists()]
    (HERE / "counts.csv").write_text("\n".join([head, *lines, ""]), "utf-8")
    sys.exit("\n".join(failures) or None)


if __name__ == "__main__":
    main(sys.argv[1:] or MODULES)
