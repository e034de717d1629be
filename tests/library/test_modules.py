"""The modules of the package: each is found under its name, and two can be copied."""

import ast
import importlib
import pkgutil
import shutil
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch

import label_smoothing
from label_smoothing.example import logits, target

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


@pytest.mark.parametrize(
    ("copied", "module", "name"),
    [
        (["losses"], "losses", "LabelSmoothing"),
        (["losses", "fast"], "copies.fast", "CrossEntropyLoss"),
    ],
)
def test_what_can_be_copied_needs_torch_and_nothing_else(
    copied: list[str],
    module: str,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    for file in copied:
        shutil.copy(Path(label_smoothing.__path__[0], f"{file}.py"), folder)
    expected = getattr(label_smoothing, name)()(logits, target)
    monkeypatch.syspath_prepend(tmp_path if "." in module else folder)
    absent = dict.fromkeys((*MODULES, "label_smoothing"))  # as if it were not installed
    with mock.patch.dict(sys.modules, absent):
        loss = getattr(importlib.import_module(module), name)()
        assert Path(sys.modules[module].__file__ or "").is_relative_to(tmp_path)
    assert module not in sys.modules
    assert torch.equal(loss(logits, target), expected)
    source = (folder / f"{copied[-1]}.py").read_text("utf-8")
    for statement in ast.walk(ast.parse(source)):
        if isinstance(statement, ast.ImportFrom) and not statement.level:
            names = [statement.module or ""]
        elif isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        else:
            continue
        roots = {name.partition(".")[0] for name in names}
        assert roots <= {"torch", *sys.stdlib_module_names}
