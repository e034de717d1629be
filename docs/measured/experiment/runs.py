"""Runs that are trained once, and kept: each under what decides its logits."""

import ast
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from measured.experiment import train as training
from measured.experiment.train import Data, Setting, network, teacher_of


def meaning(code: object) -> Any:
    """Return code as lists, without what changes no result: words, types, imports."""
    if isinstance(code, list):
        return [meaning(part) for part in code if not is_docstring_or_import(part)]
    if not isinstance(code, ast.AST):
        return repr(code)
    parts = dict(ast.iter_fields(code)) | {"annotation": None, "returns": None}
    kept = [meaning(part) for part in parts.values() if part not in (None, [])]
    return [type(code).__name__, *kept]


def is_docstring_or_import(part: object) -> bool:
    """Say if a statement is one of these."""
    said = isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
    return said or isinstance(part, ast.Import | ast.ImportFrom)


def code(source: str) -> str:
    """Return a hash of what code does: a word more or less does not change it."""
    return hashlib.sha256(repr(meaning(ast.parse(source))).encode()).hexdigest()


CODE = code(Path(training.__file__).read_text("utf-8"))


class Runs:
    """Runs that are trained once, and kept in a folder."""

    def __init__(
        self, folder: Path, data: Data, progress: Callable[[int], object] = bool
    ) -> None:
        self.folder, self.data, self.progress = folder, data, progress

    def path(self, setting: Setting, seed: int) -> Path:
        """Return where a run is kept."""
        what = repr((setting, seed, torch.__version__, self.data.digest, CODE))
        return self.folder / f"{hashlib.sha256(what.encode()).hexdigest()[:20]}.pt"

    def train(self, setting: Setting, seed: int) -> dict[str, Any]:
        """Train a network, a student by the teacher of its seed."""
        teacher = None
        if by := teacher_of(setting):
            teacher = network(by.width)
            teacher.load_state_dict(self.get(by, seed)["state"])
        return training.train(setting, seed, self.data, teacher, self.progress)

    def get(self, setting: Setting, seed: int) -> dict[str, Any]:
        """Return a run, trained now or before."""
        path = self.path(setting, seed)
        if not path.exists():
            found = self.train(setting, seed)
            self.folder.mkdir(parents=True, exist_ok=True)
            # A run that is killed while it writes must not pass for one that has ended.
            torch.save(found, unfinished := path.with_suffix(".part"))
            unfinished.replace(path)
        return dict(torch.load(path))
