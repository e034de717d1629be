"""Runs that are trained once, and kept: each under what decides its logits."""

import ast
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import torch

from measured.experiment import train as training
from measured.experiment.train import Data, Setting, network, teacher_of


def code(source: str) -> str:
    """Return a hash of what code does: docstrings and types do not change it.

    The hash is of the code as Python writes it, which is the same in each version; the
    syntax tree is not.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            del node.body[: ast.get_docstring(node) is not None]
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()


CODE = code(Path(training.__file__).read_text("utf-8"))


class Runs(NamedTuple):
    """Runs that are trained once, and kept in a folder."""

    folder: Path
    data: Data

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
        return training.train(setting, seed, self.data, teacher)

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
