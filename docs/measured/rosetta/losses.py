"""The losses of other libraries: where each is, and what its record says of its ε."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from label_smoothing import convert_smoothing, optimal_logit_gap
from label_smoothing.auditing.conventions import BINARY, CONVENTIONS, PADDED
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
    needs: Sequence[str] = ()  # to download beside it
    pip: Sequence[str] = ()  # how to ask for it
    whole: bool = False  # with the __init__ of its packages, which may need the world
    stubs: Mapping[str, Sequence[str]] = NONE  # what is replaced, by what replaces it
    env: Mapping[str, str] = NONE
    checks_bounds: bool = True  # if not, an index that is none is not to be tried
    takes: str = "classes"  # or "probabilities"
    gives: str = "loss"  # or "labels"
    two_classes: bool = False
    former: bool = False  # an earlier release
    like: str = ""  # which other is called in the same way

    @property
    def downloads(self) -> list[str]:
        """The packages to download, first that of the loss."""
        return [name for name in (self.package, *self.needs) if name]

    @property
    def imported(self) -> str:
        """How it is imported."""
        return "with stand-ins" if self.stubs else "package" if self.whole else "file"


LISTED = tomllib.loads((HERE / "libraries.toml").read_text("utf-8"))
LIBRARIES = {
    name: Library(name, **LISTED.get(row.get("like"), {}) | row)
    for name, row in LISTED.items()
}


def rounded(q: Sequence[float]) -> list[float]:
    """Return a target with the digits that are recorded."""
    return [round(value, 6) for value in q]


def convention_of(q: Sequence[float], y: int) -> str:
    """Name the convention by the two values of the target, and where zeros are."""
    classes, others = len(q), [v for k, v in enumerate(q) if k != y and v > 1e-9]
    if not others:
        return f"no smoothing: {rounded(q)}"
    gap, even = math.log(q[y] / others[0]), max(others) - min(others) < 1e-5
    fits = [
        name
        for name in (BINARY if classes == 2 else CONVENTIONS[: -len(BINARY)])
        if even
        and len(others) == classes - 1 - (name == PADDED)
        and abs(optimal_logit_gap(classes, SMOOTHING, name) - gap) < 1e-4
    ]
    return fits[0] if len(fits) == 1 else f"none of these: {rounded(q)}"


def convention(row: Row) -> str | None:
    """Name the convention of a row; of a loss that did not run there is none."""
    found = (convention_of(q, TRUE % len(q)) for q in row.get("targets", {}).values())
    return next(found, None)


def to_write(num_classes: int, convention: str) -> float:
    """Return the ε with which a loss trains as PyTorch's does with its own."""
    usual = "half" if num_classes == 2 else "uniform"
    return convert_smoothing(SMOOTHING, num_classes, usual, convention)


def in_torch(num_classes: int, convention: str) -> float:
    """Return the ε that PyTorch needs for what the loss does with its own."""
    usual = "half" if convention in BINARY else "uniform"
    if convention == PADDED:  # PyTorch has no such class
        return convert_smoothing(SMOOTHING, num_classes - 1, "others", usual)
    return convert_smoothing(SMOOTHING, num_classes, convention, usual)
