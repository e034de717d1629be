"""How a loss is called: the dimensions of its logits, its arguments, and its result."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from label_smoothing.losses import kind

CLASSES = {"V", "C", "K"}


@dataclass(frozen=True)
class Signature:
    """How a loss is called, and where its loss is in what it returns.

    Attributes
    ----------
    layout : str
        The dimensions of the logits, a letter for each. V, C or K is that of the classes.
        The rows lie along the first other letter that is not N, or along N if there is
        none; the rest have size one. In ``"NTV"`` the rows are thus one sequence.
    returns : str, int or None
        The key, attribute or index of the loss in what is returned; None if that is it.
    arguments : tuple of str
        ``("logits", "target")``, or the two in the other order.

    Raises
    ------
    ValueError
        If ``layout`` or ``arguments`` is none of these.
    """

    layout: str = "NV"
    returns: str | int | None = None
    arguments: tuple[str, ...] = ("logits", "target")

    def __post_init__(self) -> None:
        letters = {*self.layout}
        if (
            not self.layout.isalpha()
            or not 2 <= len(self.layout) == len(letters)
            or len(letters & CLASSES) != 1
        ):
            raise ValueError(
                "layout must be two or more different letters, one of them V, C or K for "
                f"the classes, such as NV or NTV, got {self.layout!r}"
            )
        if sorted(self.arguments) != ["logits", "target"]:
            raise ValueError(
                "arguments must be logits and target, in the order of the loss, got "
                f"{', '.join(self.arguments)}"
            )

    def call(self, loss: Callable[..., Any], logits: Tensor, target: Tensor) -> Any:
        """Call the loss with logits (R, K), and classes (R,) or probabilities (R, K).

        Of what it returns, one value for each row comes back with shape (R,). Logits with
        more dimensions are passed on as they are: they have a layout.
        """
        given = {"logits": logits, "target": target}
        rows = max(logits.dim(), target.dim()) <= 2
        if rows:
            given = {name: self._lay_out(tensor) for name, tensor in given.items()}
        value = self._pick(loss(*(given[name] for name in self.arguments)))
        each = isinstance(value, Tensor) and value.dim() and value.numel() == len(logits)
        return value.flatten() if rows and each else value

    def _lay_out(self, rows: Tensor) -> Tensor:
        """Bring rows into the layout, classes (R,) into that without their dimension."""
        letters = [x for x in self.layout if rows.dim() == 2 or x not in CLASSES]
        others = [x for x in letters if x not in CLASSES]
        along = next((x for x in others if x != "N"), "N")
        long = [x for x in letters if x in CLASSES or x == along]
        if long[0] in CLASSES:
            rows = rows.T.contiguous()  # as the logits of a model are
        return rows[tuple(slice(None) if x in long else None for x in letters)]

    def _pick(self, result: Any) -> Any:
        """Return the loss in what is returned."""
        if self.returns is None:
            return result
        has = f"a {kind(result)}"
        if isinstance(result, Mapping):
            has += f" with {', '.join(map(str, result))}"
        with contextlib.suppress(AttributeError, LookupError, TypeError):
            if isinstance(result, Tensor):
                has = "a tensor"  # whose items are the losses of rows
            elif isinstance(self.returns, str) and not isinstance(result, Mapping):
                return getattr(result, self.returns)
            else:
                return result[self.returns]
        raise ValueError(
            f"returns must be in what the loss returns, {has}, got {self.returns!r}"
        )
