"""Change the library bit by bit, and demand that a test fails each time.

cosmic-ray makes the changes: another operator, another comparison, a number one off, a
condition turned round. Each module stands against the tests of its own, in a copy of the
repository. What no test can notice, because it changes nothing, stands in
``mutants.toml`` with the reason.

A table of what came of it goes to ``mutants.json``, which the site shows.
"""

import functools
import json
import os
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

PICTURES = "--mpl tests/figures/test_pictures.py tests/figures/test_figures.py"
FIGURES = (
    "cells checks conventions curves distributions gather intervals limits pipelines "
    "style terms times trained weights"
)
LIBRARY = (
    "auditing/conventions auditing/probes auditing/recovery auditing/report fast losses "
    "gather targets __main__"
)
MODULES = {
    **{f"figures/_{name}": PICTURES for name in FIGURES.split()},
    **{
        module: f"tests/library/test_{Path(module).name.strip('_')}*.py"
        for module in LIBRARY.split()
    },
}
# What fails for its type says nothing of the tests, so it is not tried.
UNTRIED = (
    "ReplaceBinaryOperator_BitOr_.*",
    "ReplaceBinaryOperator_.*_(BitAnd|BitOr|BitXor|FloorDiv|LShift|Mod|RShift)",
    "ReplaceComparisonOperator_.*_Is(Not)?$",
    "ReplaceUnaryOperator_USub_(Invert|Not)",
)
CONFIG = """
[cosmic-ray]
module-path = "src/label_smoothing/{module}.py"
timeout = 300
excluded-modules = []
test-command = "sh -c '{python} -m pytest -xq --hypothesis-profile=mutants {tests}'"
distributor.name = "local"

[cosmic-ray.filters.operators-filter]
exclude-operators = {untried}
"""


def mutate(root, module):
    """Try every mutant of a module; return for each its change and if a test failed."""
    folder = root / module
    listed = ("git", "ls-files", "-z", "src", "tests", "conftest.py", "pyproject.toml")
    files = subprocess.check_output(listed, text=True).split("\0")
    for file in filter(None, files):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(Path(file).read_bytes())
    (folder / "config.toml").write_text(
        CONFIG.format(
            module=module,
            python=sys.executable,
            tests=MODULES[module],
            untried=json.dumps([f"core/{name}" for name in UNTRIED]),
        )
    )
    for command in (
        ("cosmic-ray", "baseline", "config.toml"),
        ("cosmic-ray", "init", "config.toml", "session.sqlite"),
        ("cr-filter-operators", "session.sqlite", "config.toml"),
        ("cosmic-ray", "exec", "config.toml", "session.sqlite"),
    ):
        env = os.environ | {"PYTHONPATH": "src"}
        ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        if ran.returncode:
            raise RuntimeError(f"{module}: {command}: {ran.stdout}{ran.stderr}")
    return list(results(folder / "session.sqlite"))


def results(session):
    dumped = subprocess.check_output(("cosmic-ray", "dump", str(session)), text=True)
    for _, result in map(json.loads, dumped.splitlines()):
        if result is None:
            raise RuntimeError(f"{session}: a mutant was not tried")
        if result["worker_outcome"] != "skipped":
            yield change(result["diff"]), result["test_outcome"] == "killed"


def change(diff):
    """Return the lines of a diff that differ, without its head."""
    lines = [line for line in diff.splitlines() if line[:1] in ("-", "+")]
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in lines[3:])


def judge(module, mutants, explained):
    """Count the mutants of a module, and say what is wrong."""
    survived = [change for change, killed in mutants if not killed]
    reasons = {entry["change"].strip(): entry["reason"] for entry in explained}
    counts = {
        "changed": len(mutants),
        "caught": len(mutants) - len(survived),
        "equivalent": sum(change in reasons for change in survived),
    }
    wrong = [f"no test fails:\n{c}" for c in survived if c not in reasons]
    wrong += [f"explained, but caught:\n{c}" for c in reasons if c not in survived]
    return counts, [f"{module}: {words}" for words in wrong]


def main():
    explained = tomllib.loads(Path(__file__).with_name("mutants.toml").read_text("utf-8"))
    with TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(functools.partial(mutate, Path(folder)), MODULES))
    record, failures = {}, []
    for module, mutants in sorted(zip(MODULES, found, strict=True)):
        path = f"src/label_smoothing/{module}.py"
        record[path], wrong = judge(module, mutants, explained.get(module, []))
        print(path, record[path])
        failures += wrong
    Path(__file__).with_name("mutants.json").write_text(
        f"{json.dumps(record, indent=1)}\n", "utf-8"
    )
    sys.exit("\n".join(failures) or None)


if __name__ == "__main__":
    main()
