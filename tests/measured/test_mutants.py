import tomllib
from pathlib import Path

import pytest
from measured.mutants.__main__ import MODULES, change, judge

ROOT = Path(__file__).parents[2]
EXPLAINED = tomllib.loads(
    (ROOT / "docs" / "measured" / "mutants" / "mutants.toml").read_text(encoding="utf-8")
)
ENTRIES = [(module, entry) for module in EXPLAINED for entry in EXPLAINED[module]]
DIFF = """--- mutation diff ---
--- a/src/a.py
+++ b/src/a.py
@@ -1,3 +1,3 @@
 a = 1
-    if a > 1:
+    if a >= 1:
         b = 2"""
CHANGE = "- if a > 1:\n+ if a >= 1:"
WHY = {"change": CHANGE, "reason": "It never is."}


def test_a_change_is_told_without_its_surroundings() -> None:
    assert change(DIFF) == CHANGE


def test_a_mutant_that_survives_without_a_reason_is_an_error() -> None:
    mutants = [(CHANGE, False), ("- a\n+ b", True)]
    counts = {"changed": 2, "caught": 1, "equivalent": 0}
    assert judge("a", mutants, []) == (counts, [f"a: no test fails:\n{CHANGE}"])
    counts = {"changed": 2, "caught": 1, "equivalent": 1}
    assert judge("a", mutants, [WHY]) == (counts, [])


def test_a_reason_for_a_mutant_that_is_caught_is_an_error() -> None:
    _, wrong = judge("a", [(CHANGE, True)], [WHY])
    assert wrong == [f"a: explained, but caught:\n{CHANGE}"]


@pytest.mark.parametrize(("module", "entry"), ENTRIES)
def test_each_explained_change_is_one_of_a_line_that_exists(module, entry) -> None:
    assert module in MODULES
    source = (ROOT / "src" / "label_smoothing" / f"{module}.py").read_text("utf-8")
    removed = [line for line in entry["change"].splitlines() if line.startswith("- ")]
    lines = list(map(str.strip, source.splitlines()))
    assert removed
    assert all(line[2:] in lines for line in removed)
    assert entry["reason"]
