"""The audit: what a loss does with ε, and what is suspicious about it."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from label_smoothing.auditing.probes import (
    bad_smoothing,
    describe_rows,
    describe_target,
    find_way,
    listed,
    odd_targets,
    overflow,
    wrong_shapes,
)
from label_smoothing.losses import kind
from label_smoothing.targets import check_num_classes

IGNORED = -100  # the usual ignore_index


@dataclass(frozen=True)
class Audit:
    r"""What :func:`audit` finds. Print it, or take the fields.

    Attributes
    ----------
    takes : str
        What the loss is called with. Log-probabilities mean that on logits the loss
        fails, or has no fixed target.
    reduction : str or None
        How it makes its result of the rows.
    true, other : float or None
        The target :math:`q'` of the true class and of any other, if these two numbers
        say it all.
    torch_smoothing : float or None
        The ``label_smoothing`` with which PyTorch trains on this target; if there is
        padding, without its column.
    needed : dict
        The same :math:`\varepsilon` in each convention of :func:`convert_smoothing`.
    argument : str or None
        The name of the argument that is this :math:`\varepsilon` in one of them.
    convention : str or None
        The name of that convention. For two classes ``"uniform"`` is also ``"half"``, and
        ``"others"`` is ``"swap"``.
    floor : float or None
        The least loss, a mean over the rows, in nats.
    offset : float or None
        How far the floor is below the entropy :math:`H(q')` of the target: not at all in
        a cross entropy, all the way in a Kullback-Leibler divergence.
    padding : tuple of int
        The classes that get no share of the smoothing.
    ignored : tuple of int
        The targets whose rows are ignored.
    suspicious : tuple of str
        What may be a mistake, in words.
    """

    takes: str
    reduction: str | None = None
    true: float | None = None
    other: float | None = None
    torch_smoothing: float | None = None
    needed: dict[str, float] = field(default_factory=dict)
    argument: str | None = None
    convention: str | None = None
    floor: float | None = None
    offset: float | None = None
    padding: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()
    suspicious: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [("takes", self.takes)]
        if self.convention:
            epsilon = f"{self.argument}={self.needed[self.convention]:.4g}"
            lines.append(("convention", f"{self.convention}, with {epsilon}"))
        elif self.needed:
            needed = (f"{name} {value:.4g}" for name, value in self.needed.items())
            lines.append(("convention", "one of " + ", ".join(needed)))
        if self.true is not None:
            target = f"{self.true:.4g} true class, {self.other:.4g} each other"
            lines.append(("target", target))
        if self.torch_smoothing is not None:
            without = ", without the padding" if self.padding else ""
            smoothing = f"label_smoothing={self.torch_smoothing:.4g}"
            lines.append(("in torch", smoothing + without))
        if self.reduction is not None:
            lines.append(("reduction", self.reduction))
        if self.floor is not None:
            form = "H(q') as in a cross entropy"
            if self.offset:
                like = "" if self.floor else " as in a KL divergence"
                sign = "-" if self.offset > 0 else "+"
                form = f"H(q') {sign} {abs(self.offset):.4f}{like}"
            lines.append(("floor", f"{self.floor:.4f} nats, {form}"))
        if self.padding:
            lines.append(("padding", f"class {listed(self.padding)} gets no share"))
        if self.ignored:
            lines.append(("ignored", f"rows of class {listed(self.ignored)}"))
        for words in self.suspicious or ("nothing found",):
            lines.append(("suspicious", words))
        return "\n".join(f"{name:<11} {words}" for name, words in lines)


def audit(loss: Callable[..., Any], num_classes: int, /, **arguments: Any) -> Audit:
    r"""Say what a loss trains on, what it means by ε, and what looks like a mistake.

    The loss is called on drawn logits, with class indices as target or, if it refuses
    those, with probabilities; it gets logits or, if that gives no fixed target,
    log-probabilities. Of its code nothing is read.

    Parameters
    ----------
    loss : collections.abc.Callable
        A class, which is built with the arguments and then called with logits and
        target, or a function, which gets the arguments at each call.
    num_classes : int
        The number of classes K, at least two.
    **arguments
        What the loss itself needs, by name. The smoothing is looked for among those that
        are floats between zero and one.

    Returns
    -------
    Audit
        The findings; ``print`` shows them line by line.

    Raises
    ------
    TypeError
        If ``loss`` cannot be called, or if ``num_classes`` is not an int.
    ValueError
        If ``num_classes`` is below two.
    RuntimeError
        If the loss works in none of these ways: it raises an error, returns no tensor, or
        cannot be differentiated with respect to the logits. The cause is the first error.

    See Also
    --------
    recover_target : the measurement alone.

    Notes
    -----
    These are suspicious:

    - a target that depends on the logits, is no distribution, asks for another class
      as much as for the true one or more, or differs from class to class;
    - a row that counts negative, and a row of class ``-100`` that counts at all;
    - a number among the arguments that could be a smoothing, and smooths nothing;
    - a smoothing below zero or above one that is accepted;
    - for logits of three or four dimensions a result that is not that of their rows;
    - in torch.float16 a result that is not finite where in torch.float32 it is.

    Examples
    --------
    >>> import torch.nn.functional as F
    >>> from label_smoothing import audit
    >>> print(audit(F.cross_entropy, 5, label_smoothing=0.3))
    takes       logits, class indices
    convention  uniform, with label_smoothing=0.3
    target      0.76 true class, 0.06 each other
    in torch    label_smoothing=0.3
    reduction   mean
    floor       0.8838 nats, H(q') as in a cross entropy
    ignored     rows of class -100
    suspicious  label_smoothing=-0.3 is taken for no smoothing
    suspicious  26215 rows of zeros in float16 give inf, in float32 1.609
    """
    check_num_classes(num_classes, least=2)
    if not callable(loss):
        raise TypeError(f"loss must be a class or a function, got {kind(loss)}")
    way, classes, found = find_way(loss, num_classes, arguments)
    suspicious = []
    padded = torch.cat((classes, torch.tensor([IGNORED])))
    with contextlib.suppress(Exception):  # it is refused: there is no such class
        found_padded = way.recover(padded)
        if found_padded.scale[-1] == 0:
            classes, found = padded, found_padded
        else:
            suspicious.append(f"rows of class {IGNORED} are not ignored")
    report: dict[str, Any] = {"takes": str(way)}
    if found.fixed.all():
        report |= describe_rows(way, classes, found)
        report |= describe_target(classes, found, arguments)
    suspicious += [
        *odd_targets(classes, found, report, arguments),
        *bad_smoothing(loss, way, classes, report, arguments),
        *wrong_shapes(way),
        *overflow(way, classes[found.scale != 0]),
    ]
    return Audit(**report, suspicious=tuple(suspicious))
