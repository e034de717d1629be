"""Runs that are trained once, and kept: each under what decides its logits."""

import ast
import hashlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from measured.experiment.train import (
    TEACHER,
    Data,
    Setting,
    network,
    teacher_of,
    train,
)


def meaning(code: object) -> Any:
    """Return the syntax of code without what changes no result: words, types, imports."""
    if isinstance(code, list):
        return [meaning(part) for part in code if not is_left_out(part)]
    if not isinstance(code, ast.AST):
        return repr(code)
    parts = {name: part for name, part in ast.iter_fields(code) if part not in (None, [])}
    kept = [
        meaning(parts[name]) for name in parts if name not in ("annotation", "returns")
    ]
    return [type(code).__name__, *kept]


def is_left_out(part: object) -> bool:
    """Say if a statement is a docstring or an import."""
    docstring = isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
    return docstring or isinstance(part, ast.Import | ast.ImportFrom)


def code(source: str) -> str:
    """Return a hash of what code does."""
    return hashlib.sha256(repr(meaning(ast.parse(source))).encode()).hexdigest()


CODE = code(Path(__file__).with_name("train.py").read_text("utf-8"))


class Runs:
    """Runs that are trained once, and kept in a folder."""

    def __init__(
        self,
        folder: Path,
        data: Data,
        progress: Callable[[int], object] = lambda images: None,
    ) -> None:
        self.folder, self.data, self.progress = folder, data, progress

    def path(self, setting: Setting, seed: int) -> Path:
        """Return where a run is kept."""
        what = repr((asdict(setting), seed, torch.__version__, self.data.digest, CODE))
        return self.folder / f"{hashlib.sha256(what.encode()).hexdigest()[:20]}.pt"

    def train(self, setting: Setting, seed: int) -> dict[str, Any]:
        """Train a network, a student by the teacher of its seed."""
        teacher = None
        if setting.teacher is not None:
            taught = self.get(teacher_of(setting), seed)
            teacher = network(TEACHER)
            teacher.load_state_dict(taught["state"])
        return train(setting, seed, self.data, teacher, self.progress)

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
