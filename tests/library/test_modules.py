"""The modules of the package: each is found under its name."""

import importlib
import pkgutil

import pytest

import label_smoothing

MODULES = [
    module.name
    for module in pkgutil.walk_packages(label_smoothing.__path__, "label_smoothing.")
]


@pytest.mark.parametrize("name", MODULES)
def test_no_module_is_hidden_by_a_function_of_its_name(name: str) -> None:
    names: dict[str, object] = {}
    exec(f"import {name} as module", names)
    assert names["module"] is importlib.import_module(name)


def test_all_modules_are_looked_at() -> None:
    assert {
        f"label_smoothing.{name}" for name in ("fast", "auditing.report", "figures")
    } <= {*MODULES}
