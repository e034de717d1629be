"""The audit: what a loss does with ε, and what is suspicious about it."""

import contextlib
import copy
import functools
import inspect
import math
import random
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from label_smoothing.auditing.probes import (
    PADS,
    Trials,
    bad_smoothing,
    ignored_rows,
    no_target,
    overflow,
    rows_without_share,
    strong_logits,
    wrong_shapes,
)
from label_smoothing.auditing.readings import (
    SMOOTHS,
    describe_rows,
    describe_target,
    listed,
    odd_numbers,
    odd_targets,
)
from label_smoothing.auditing.signatures import Signature
from label_smoothing.auditing.ways import ROWS, Found, changes, find_way, seeds
from label_smoothing.losses import check_int, kind
from label_smoothing.targets import check_num_classes

TIMES = 12  # rows that can be split into two, three or four parts


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
    row : float or None
        How much a row counts, if all count the same: for a mean, one over N is promised.
    target_sum : float or None
        What the target sums to: how much a row counts, divided by what is promised. One
        in a sound loss. None where rows count differently.
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
    unit : str
        What the loss is measured in: ``"nats"``, ``"bits"`` where its logarithm has base
        two, ``"hartleys"`` where it has base ten.
    floor : float or None
        The least loss that can be reached, as the loss returns it; of a sum, per row.
    offset : float or None
        How far the floor is below the entropy :math:`H(q')` of the target, counted as the
        rows are: not at all in a cross entropy, all the way in a Kullback-Leibler
        divergence.
    padding : tuple of int
        The classes that get no share of the smoothing.
    ignored : tuple of int
        The targets whose rows are ignored.
    suspicious : tuple of str
        What may be a mistake, in words.
    tried, not_tried : tuple of str
        What was asked of the loss, and what could not be, since it raised an error.
    """

    takes: str
    reduction: str | None = None
    row: float | None = None
    target_sum: float | None = None
    true: float | None = None
    other: float | None = None
    torch_smoothing: float | None = None
    needed: dict[str, float] = field(default_factory=dict)
    argument: str | None = None
    convention: str | None = None
    unit: str = "nats"
    floor: float | None = None
    offset: float | None = None
    padding: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()
    suspicious: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    not_tried: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [("takes", self.takes)]
        if self.convention:
            epsilon = f"{self.argument}={self.needed[self.convention]:.4g}"
            lines.append(("convention", f"{self.convention}, with {epsilon}"))
        elif self.needed:
            needed = (f"{name} {value:.4g}" for name, value in self.needed.items())
            one_of = "one of " if len(self.needed) > 1 else ""
            lines.append(("convention", one_of + ", ".join(needed)))
        if self.true is not None:
            target = f"{self.true:.4g} true class, {self.other:.4g} each other"
            if self.target_sum is not None:
                target += f", sum {self.target_sum:.4g}"
            lines.append(("target", target))
        if self.torch_smoothing is not None:
            without = ", without the padding" if self.padding else ""
            smoothing = f"label_smoothing={self.torch_smoothing:.4g}"
            if self.target_sum not in (None, 1):
                smoothing += f", times {self.target_sum:.4g}"
            lines.append(("in torch", smoothing + without))
        if self.reduction is not None:
            counts = ""
            if self.row is not None and self.target_sum != 1:
                counts = f", a row counts {self.row:.4g}"
                if self.target_sum is not None:
                    promised = self.target_sum / self.row  # the number of rows
                    counts += f" where it promises 1/{promised:.0f}"
            lines.append(("reduction", self.reduction + counts))
        if self.floor is not None:
            form = "H(q') as in a cross entropy"
            if self.offset:
                like = "" if self.floor else " as in a KL divergence"
                sign = "-" if self.offset > 0 else "+"
                form = f"H(q') {sign} {abs(self.offset):.4f}{like}"
            lines.append(("floor", f"{self.floor:.4f} {self.unit}, {form}"))
        if self.padding:
            lines.append(("padding", f"class {listed(self.padding)} gets no share"))
        if self.ignored:
            lines.append(("ignored", f"rows of class {listed(self.ignored)}"))
        for words in self.suspicious or ("nothing found",):
            lines.append(("suspicious", words))
        for name, trials in (("not tried", self.not_tried), ("tried", self.tried)):
            if trials:
                wrapped = textwrap.wrap(", ".join(trials), 68)
                lines.append((name, ("\n" + 12 * " ").join(wrapped)))
        return "\n".join(f"{name:<11} {words}" for name, words in lines)


def audit(
    loss: Callable[..., Any],
    num_classes: int,
    rows: int | None = None,
    /,
    **arguments: Any,
) -> Audit:
    r"""Say what a loss trains on, what it means by ε, and what looks like a mistake.

    The loss is called on drawn logits, with class indices as target or, if it refuses
    those, with probabilities. Of its code nothing is read. What is passed in is copied,
    and the copy is called.

    Parameters
    ----------
    loss : collections.abc.Callable
        A class, which is built with the arguments and then called with logits and
        target, or a function, which gets the arguments at each call.
    num_classes : int
        The number of classes K, at least two.
    rows : int, optional
        The number of rows N to call it with, for a loss that splits its batch. By default
        one for each class, up to sixteen, or so many as can be split into two, three or
        four parts, if the loss refuses that.
    **arguments
        What the loss itself needs, by name. The smoothing is looked for among those that
        are real numbers, classes to ignore among the integers; and among the defaults of
        arguments whose names speak of smoothing, ignoring or padding.

    Returns
    -------
    Audit
        The findings; ``print`` shows them line by line.

    Raises
    ------
    TypeError
        If ``loss`` cannot be called, or if ``num_classes`` or ``rows`` is not an int.
    ValueError
        If ``num_classes`` or ``rows`` is below two.
    RuntimeError
        If the loss works in none of these ways: it raises an error, returns no tensor, or
        cannot be differentiated with respect to the logits. The cause is the first error.
        Or if it raises one later on.

    See Also
    --------
    recover_target : the measurement alone.

    Notes
    -----
    These are suspicious:

    - a loss that is random, changes from call to call, or goes by the place of a row:
      then nothing else is measured;
    - a loss that takes its target first;
    - no fixed target on logits: it depends on them;
    - a target that does not sum to one, has a negative probability, asks for another
      class as much as for the true one or more, or differs from class to class;
    - a row that counts negative, a row to ignore that counts, and a mean that is divided
      by ignored rows too: for the class ``-100`` and each integer among the arguments
      that may be one;
    - a class that gets no share of the smoothing, and whose rows count;
    - a number among the arguments that could be a smoothing, and smooths nothing, or
      is what no convention needs for this target;
    - a least loss that is neither the entropy of the target nor zero;
    - a smoothing below zero or above one that is accepted, given or tried;
    - for strong logits a gradient that is not that of this target;
    - for logits of three or four dimensions a result that is not that of their rows;
    - in torch.float16 a result that is not finite where in torch.float32 it is.

    Examples
    --------
    >>> import torch.nn.functional as F
    >>> from label_smoothing import audit
    >>> print(audit(F.cross_entropy, 5, label_smoothing=0.3))
    takes       logits, class indices
    convention  uniform, with label_smoothing=0.3
    target      0.76 true class, 0.06 each other, sum 1
    in torch    label_smoothing=0.3
    reduction   mean
    floor       0.8838 nats, H(q') as in a cross entropy
    ignored     rows of class -100
    suspicious  label_smoothing=-0.3 is taken for no smoothing
    suspicious  label_smoothing=nan is taken for no smoothing
    suspicious  26215 rows of zeros in float16 give inf, in float32 1.609
    tried       twice, reordered, class -100, strong logits, a logit of -200,
                label_smoothing=-0.3, 1.3 and nan, sequences, images, float16
    """
    return audit_as(loss, Signature(), num_classes, rows, arguments)


def audit_as(
    loss: Callable[..., Any],
    signature: Signature,
    num_classes: int,
    rows: int | None,
    arguments: dict[str, Any],
) -> Audit:
    """Audit a loss that is called in its own way."""
    check_num_classes(num_classes, least=2)
    if rows is not None:
        check_int(rows, "rows")
        if rows < 2:
            raise ValueError(f"rows must be at least 2, got {rows}")
    if not callable(loss):
        raise TypeError(f"loss must be a class or a function, got {kind(loss)}")
    trials = Trials()
    try:
        loss = copy.deepcopy(loss)
    except Exception as error:  # the state of a loss may be anything
        words = (
            f"a copy of the loss: what it keeps may have changed ({type(error).__name__})"
        )
        trials.not_tried.append(words)

    # The defaults of the caller are not the loss's, and its draws are not the caller's.
    with torch.device("cpu"), _own_random_numbers():
        build = functools.partial(_build, loss, signature)
        built = build(arguments)
        try:
            found = _find(built, num_classes, rows, _defaults(loss) | arguments)
        except RuntimeError as error:
            options = ""
            if signature == Signature():
                options = _what_helps(loss, num_classes, rows, arguments)
            if not options:
                raise
            raise RuntimeError(
                f"the command can audit it with {options}; as it is, {error}"
            ) from error.__cause__
        try:
            return _audit(build, found, _defaults(loss), arguments, trials)
        except Exception as error:  # a loss may raise anything
            raise RuntimeError(f"loss failed in the audit: {error!r}") from error


@contextlib.contextmanager
def _own_random_numbers() -> Iterator[None]:
    """Seed the random numbers that a loss may draw, and give the caller's back."""
    numpy = sys.modules.get("numpy")
    state, of_numpy = random.getstate(), numpy and numpy.random.get_state()
    with torch.random.fork_rng(devices=[]):
        for seed in seeds():
            seed(0)
        try:
            yield
        finally:
            random.setstate(state)
            if numpy:
                numpy.random.set_state(of_numpy)


def _defaults(loss: Callable[..., Any]) -> dict[str, Any]:
    """Return what a loss itself sets for its smoothing and for what to ignore."""
    parameters: Mapping[str, inspect.Parameter] = {}
    with contextlib.suppress(TypeError, ValueError):  # it does not say
        parameters = inspect.signature(loss).parameters
    return {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.default is not parameter.empty
        and (SMOOTHS.search(name) or PADS.search(name))
    }


def _build(
    loss: Callable[..., Any], signature: Signature, arguments: dict[str, Any]
) -> Callable[[Tensor, Tensor], Tensor]:
    """Give a loss its arguments, and call it as it is to be called."""
    whole = isinstance(loss, type)
    built = loss(**arguments) if whole else functools.partial(loss, **arguments)
    return functools.partial(signature.call, built)


def _what_helps(
    loss: Callable[..., Any],
    num_classes: int,
    rows: int | None,
    arguments: dict[str, Any],
) -> str:
    """Return the options with which a loss can be called, best of all has a target."""
    second_best = ""
    logits, target = torch.zeros(2, num_classes), torch.tensor([0, 1])
    for layout in ("NV", "NTV", "NVT", "TNV", "NCHW"):
        keys: list[Any] = [None]
        with contextlib.suppress(Exception, SystemExit):
            built = _build(loss, Signature(layout), arguments)
            result: Any = built(logits, target)
            if isinstance(result, (tuple, list)):
                keys += range(len(result))
            elif isinstance(result, Mapping):
                keys += sorted(result, key=lambda key: key != "loss")
            elif hasattr(result, "loss"):
                keys.append("loss")
        for key in keys:
            signature = Signature(layout, key)
            if signature == Signature():
                continue
            with contextlib.suppress(Exception, SystemExit):
                built = _build(loss, signature, arguments)
                found = _find(built, num_classes, rows, arguments)
                words = [f"--layout {layout}"] * (layout != "NV")
                words += [f"--returns {key}"] * (key is not None)
                if found.trains:
                    return " ".join(words)
                if not second_best and found.first.dim() < 2:  # no logits
                    second_best = " ".join(words)
    for count in range(2, 33) if rows is None else ():
        with contextlib.suppress(Exception, SystemExit):
            _find(_build(loss, Signature(), arguments), num_classes, count, arguments)
            return f"--rows {count}"
    return second_best


def _audit(
    build: Callable[[dict[str, Any]], Callable[[Tensor, Tensor], Tensor]],
    found: Found,
    defaults: dict[str, Any],
    given: dict[str, Any],
    trials: Trials,
) -> Audit:
    arguments = defaults | given
    way, classes, recovered = found.way, found.classes, found.recovered
    report: dict[str, Any] = {"takes": str(way)}
    if recovered is None:
        return Audit(**report, suspicious=(found.erratic,))
    say = trials.suspicious.append
    trials.tried += ["twice", "reordered"]
    if way.swapped:
        say("the target comes first: loss(target, logits)")
    if recovered.fixed.all():
        report |= describe_rows(way, classes, recovered)
        report |= describe_target(classes, recovered, arguments)
        trials.suspicious += odd_targets(way, classes, recovered, report, arguments)
        ignored = ignored_rows(way, classes, recovered, arguments, trials)
        report["ignored"] = tuple(sorted({*report["ignored"], *ignored}))
        padding = report.get("padding", ())
        trials.suspicious += rows_without_share(way, padding, way.num_classes, arguments)
        strong_logits(way, classes, recovered, trials)
    else:
        say(no_target(way, classes))
    trials.suspicious += odd_numbers(report, arguments)
    if report.get("true") != 1:
        bad_smoothing(build, way, classes, report.get("argument"), arguments, trials)
    wrong_shapes(way, trials)
    overflow(way, classes[recovered.scale != 0], trials)
    if words := changes(way, found.logits, classes, found.first):
        return Audit(str(way), suspicious=(words,))
    total = report.get("target_sum", 1.0)
    if total != 1:  # no smoothing makes such a target
        report |= {
            name: total * report[name] for name in ("true", "other") if name in report
        }
        report |= {"needed": {}, "argument": None, "convention": None}
    return Audit(
        **report,
        suspicious=tuple(dict.fromkeys(trials.suspicious)),
        tried=tuple(trials.tried),
        not_tried=tuple(trials.not_tried),
    )


def _find(
    loss: Callable[[Tensor, Tensor], Tensor],
    num_classes: int,
    rows: int | None,
    arguments: dict[str, Any],
) -> Found:
    """Find the way to call a loss, with rows of all kinds of classes."""
    spread = torch.linspace(0, num_classes - 1, min(num_classes, ROWS)).long().tolist()
    named = [n for n in arguments.values() if type(n) is int and 0 <= n < num_classes]
    kinds = [*dict.fromkeys([*spread, *named])]
    if rows is not None:
        return find_way(loss, num_classes, _repeat(kinds, rows))
    # Or N classes could pass for one row of K probabilities.
    count = len(kinds) + (len(kinds) == num_classes)
    try:
        return find_way(loss, num_classes, _repeat(kinds, count))
    except RuntimeError:
        more = math.ceil((count + 1) / TIMES) * TIMES
        try:
            return find_way(loss, num_classes, _repeat(kinds, more))
        except RuntimeError:
            pass
        raise


def _repeat(kinds: list[int], rows: int) -> Tensor:
    times = math.ceil(rows / len(kinds))
    return torch.tensor(kinds * times)[:rows]
