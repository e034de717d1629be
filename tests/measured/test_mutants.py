import ast
from collections import namedtuple

from measured.mutants.__main__ import REASONS, SRC, judge, keyed

ONE, TWO = "losses,mix,NumberReplacer,1", "losses,mix,NumberReplacer,2"
Change = namedtuple("Change", "occurrence definition_name operator_name")


def test_changes_are_numbered_by_function_and_operator() -> None:
    one, two = (Change(number, "mix", "core/NumberReplacer") for number in (7, 12))
    outside = Change(9, None, "core/NumberReplacer")
    untried = Change(0, "mix", "core/ReplaceUnaryOperator_USub_Not")
    found = keyed("losses", [two, outside, untried, one])
    assert found == {ONE: one, TWO: two, "losses,,NumberReplacer,1": outside}


def test_a_change_that_no_test_notices_must_be_explained_and_no_other() -> None:
    found = {ONE: "", TWO: "- a\n+ b"}
    assert judge(found, {TWO}) == ("2,1,1", [])
    assert judge(found, set()) == ("2,1,0", [f"no test fails: {TWO}\n- a\n+ b"])
    needless = f"explained, but caught or gone: {ONE}"
    assert judge(found, {ONE, TWO}) == ("2,1,1", [needless])


def test_each_reason_is_about_a_function_that_exists() -> None:
    assert REASONS
    for key, reason in REASONS.items():
        module, function, operator, number = key.split(",")
        tree = ast.walk(ast.parse((SRC / f"{module}.py").read_text("utf-8")))
        assert function in {"", *(getattr(node, "name", None) for node in tree)}
        assert all((operator, int(number), reason))
