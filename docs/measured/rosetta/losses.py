"""The losses of other libraries: where each is, and what its record says of its ε."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch

from label_smoothing.auditing.readings import describe_target
from label_smoothing.auditing.recovery import Recovered
from measured.rows import Row

HERE = Path(__file__).parent
NONE: Mapping[str, Any] = MappingProxyType({})
SMOOTHING = 0.1
TRUE = 2  # the class whose target is recorded; with two classes it is class 0


class Library(NamedTuple):
    """What to download, what to import, and what it takes."""

    name: str
    package: str  # as pip asks for it, with its version; or nothing: it is there
    path: str
    call: str  # how it is called as PyTorch's loss is
    options: str = "**o"  # what else may be given to the call
    log_probs: bool = False  # it takes log-probabilities, not logits
    probabilities: bool = False  # it takes a row of them, not an index
    has_index: bool = True  # if not, an index that is no class is not to be tried
    form: str = ""  # if it returns no loss
    table: str = "targets"  # or "two" classes, or "former" releases
    needs: Sequence[str] = ()  # to download beside it
    pip: Sequence[str] = ()  # how to ask for it
    whole: bool = False  # with the __init__ of its packages, which may need the world
    stubs: Mapping[str, str] = NONE  # modules that are replaced, by which Python
    env: Mapping[str, str] = NONE

    @property
    def downloads(self) -> list[str]:
        """The packages to download, first that of the loss."""
        return [name for name in (self.package, *self.needs) if name]


LISTED = tomllib.loads((HERE / "libraries.toml").read_text("utf-8"))
LIBRARIES = {
    name: Library(name, **LISTED.get(row.pop("like", ""), {}) | row)
    for name, row in LISTED.items()
}


def convention_of(q: Sequence[float]) -> str | None:
    """Name the convention of a target, if there is one, as the audit reads it."""
    target = torch.tensor([q], dtype=torch.float64)
    y, scale = torch.tensor([TRUE % len(q)]), torch.ones(1)
    found = Recovered(target, scale, scale.bool())
    name = describe_target(y, found, {"smoothing": SMOOTHING}).get("convention", "")
    if len(q) == 2:
        name = {"uniform": "half", "others": "swap"}.get(name)
    return name or None


def convention(row: Row) -> str | None:
    """Name the convention of a row; of a loss that did not run there is none."""
    return next(map(convention_of, row.get("targets", {}).values()), None)
