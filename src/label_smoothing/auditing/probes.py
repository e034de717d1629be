"""The probes of the audit: what is asked of a loss, and what its answers say."""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from label_smoothing.auditing.conventions import BINARY, PADDED, convert_smoothing
from label_smoothing.auditing.recovery import Recovered, recover_target

PLAIN = ("uniform", "others", "normalised")
ROWS = 16  # of more classes, only so many and those that an argument names get a row
NEAR = 1e-4  # numbers this close are the same: the error of float32 is smaller


class Way(NamedTuple):
    """A loss, and a way to call it."""

    loss: Callable[[Tensor, Tensor], Tensor]
    num_classes: int
    probabilities: bool
    log_probs: bool
    dtype: torch.dtype

    def __str__(self) -> str:
        first = "log-probabilities" if self.log_probs else "logits"
        return f"{first}, {'probabilities' if self.probabilities else 'class indices'}"

    def __call__(self, logits: Tensor, classes: Tensor, dim: int = 1) -> Tensor:
        """Return the loss of rows of these classes."""
        logits = logits.log_softmax(dim) if self.log_probs else logits
        # Copies, since a loss may work in place.
        return self.loss(logits.clone(), self.target(classes, logits.dtype).clone())

    def recover(self, classes: Tensor) -> Recovered:
        """Recover what the loss trains on in rows of these classes."""
        target = self.target(classes, self.dtype)
        options: Any = {"log_probs": self.log_probs, "dtype": self.dtype}
        return recover_target(self.loss, self.num_classes, target, **options)

    def target(self, classes: Tensor, dtype: torch.dtype) -> Tensor:
        """Return classes in the form that the loss takes."""
        if not self.probabilities:
            return classes
        return F.one_hot(classes, self.num_classes).to(dtype)


def _build(
    loss: Callable[..., Any], arguments: dict[str, Any]
) -> Callable[[Tensor, Tensor], Tensor]:
    if not isinstance(loss, type):
        return functools.partial(loss, **arguments)
    built: Callable[[Tensor, Tensor], Tensor] = loss(**arguments)
    return built


def find_way(
    loss: Callable[..., Any], num_classes: int, arguments: dict[str, Any]
) -> tuple[Way, Tensor, Recovered]:
    """Call the loss in one way after the other, until one gives fixed targets."""
    spread = torch.linspace(0, num_classes - 1, min(num_classes, ROWS)).long().tolist()
    named = [n for n in arguments.values() if type(n) is int and 0 <= n < num_classes]
    rows = [*dict.fromkeys([*spread, *named])]
    if len(rows) == num_classes:
        rows.append(0)  # or N classes could pass for one row of K probabilities
    classes = torch.tensor(rows)
    built = _build(loss, arguments)
    found: list[tuple[Way, Recovered]] = []
    errors: list[Exception] = []
    for probabilities, dtype, log_probs in itertools.product(
        (False, True), (torch.float64, torch.float32), (False, True)
    ):
        way = Way(built, num_classes, probabilities, log_probs, dtype)
        try:
            found.append((way, way.recover(classes)))
        except (RuntimeError, TypeError, ValueError) as error:
            errors.append(error)
            continue
        if found[-1][1].fixed.all():
            return way, classes, found[-1][1]
    if not found:
        raise RuntimeError(
            f"loss works neither with class indices nor with probabilities: {errors[0]}"
        ) from errors[0]
    way, recovered = found[0]
    return way, classes, recovered


def describe_rows(way: Way, classes: Tensor, found: Recovered) -> dict[str, Any]:
    """Say how the loss counts its rows, and how low it can get."""
    scale = found.scale
    counted = scale[scale != 0]
    report: dict[str, Any] = {"ignored": tuple(sorted({*classes[scale == 0].tolist()}))}
    if not len(counted):
        return report
    target = found.target.nan_to_num()  # an ignored row has no target; any will do
    loss = way(target.clamp(min=1e-30).log().to(way.dtype), classes).detach().double()

    low, high = counted.aminmax()
    known = {
        1: "none" if loss.dim() else "sum",
        len(scale) * way.num_classes: "mean over rows and classes",
        len(scale): "mean over all rows, also the ignored ones",
        len(counted): "mean",
    }
    by_name = [words for n, words in known.items() if _near(counted, 1 / n)]
    report["reduction"] = [f"a row counts {low:.4g} to {high:.4g}", *by_name][-1]

    if low > 0 and (target > -NEAR).all():
        floor = loss.sum() / scale.sum()
        entropy = (scale * torch.special.entr(target.clamp(min=0)).sum(1)).sum()
        offset = entropy / scale.sum() - floor
        report["floor"], report["offset"] = (
            0.0 if abs(nats) < NEAR else nats for nats in (floor.item(), offset.item())
        )
    return report


def describe_target(
    classes: Tensor, found: Recovered, arguments: dict[str, Any]
) -> dict[str, Any]:
    """Say what the target is, and which smoothing makes it."""
    q, y = found.target[found.scale != 0], classes[found.scale != 0]
    num_classes = q.shape[1]
    if not len(y):
        return {}
    other = ~F.one_hot(y, num_classes).bool()
    true = q[~other]
    if ((true - 1).abs() < 1e-5).all():
        return {"true": 1.0, "other": 0.0, "torch_smoothing": 0.0}
    share = q.where(other, 0).amax(0)
    column = other.any(0) & (share < NEAR * share.max())
    padding = tuple(column.nonzero().flatten().tolist())
    report: dict[str, Any] = {"padding": padding}
    each = q[other & ~column]
    if not all(_near(share, share.mean().item(), 2e-7) for share in (true, each)):
        return report
    report |= {"true": true.mean().item(), "other": each.mean().item()}
    epsilon = 1 - report["true"]
    with contextlib.suppress(ValueError):  # it has no equivalent
        left = num_classes - len(padding)
        report["torch_smoothing"] = convert_smoothing(epsilon, left, "others", "uniform")
    names = {0: PLAIN + BINARY, 1: (PADDED,)}
    source = PADDED if padding else "others"
    needed = {}
    for name in names.get(len(padding), ()):
        with contextlib.suppress(ValueError):
            needed[name] = convert_smoothing(epsilon, num_classes, source, name)
    report["needed"] = needed
    matches = [
        (abs(value / needed[convention] - 1), argument, convention)
        for argument, value in _numbers(arguments).items()
        for convention in needed
    ]
    error, argument, convention = min(matches, default=(1, "", ""), key=lambda m: m[0])
    # With many classes, float32 cannot tell two conventions apart.
    rival = min(
        (e for e, _, c in matches if abs(needed[c] / needed[convention] - 1) >= 1e-9),
        default=1.0,
    )
    given = {a for e, a, _ in matches if e < NEAR}
    if error < min(NEAR, rival / 10) and len(given) == 1:
        report |= {"argument": argument, "convention": convention}
    return report


def odd_targets(
    classes: Tensor, found: Recovered, report: dict[str, Any], arguments: dict[str, Any]
) -> Iterator[str]:
    """Look at the targets that were found, and at how much each row counts."""
    if not found.fixed.all():
        yield "no fixed target or scale: it depends on the logits, or there is no softmax"
        return
    if (found.scale < 0).any():
        yield "some rows count negative: the loss moves away from its target"
    q, y = found.target[found.scale != 0], classes[found.scale != 0]
    if (q < -NEAR).any():
        yield f"the target has a negative probability, {q.min():.4g}"
    true = q.gather(1, y[:, None])
    lead = (true - q.scatter(1, y[:, None], -torch.inf)).amin(1)
    for rows, words in (
        (lead < -NEAR, "train towards another class"),
        (lead.abs() <= NEAR, "train as much towards another class"),
    ):
        if rows.any():
            yield f"rows of class {listed(sorted({*y[rows].tolist()}))} {words}"
    if not len(y):
        yield "no row counts: the gradient is zero"
    if len(y) and "true" not in report:
        yield "the target differs between classes, as with weights or a prior"
    if report.get("true") == 1:
        for name, value in _numbers(arguments).items():
            yield f"{name}={value} smooths nothing"


def bad_smoothing(
    loss: Callable[..., Any],
    way: Way,
    classes: Tensor,
    report: dict[str, Any],
    arguments: dict[str, Any],
) -> Iterator[str]:
    """Try a smoothing below zero, and one above one."""
    name = report.get("argument")
    if name is None:
        return
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(len(classes), way.num_classes, generator=rng, dtype=way.dtype)

    def result(smoothing: float) -> Tensor | None:
        with contextlib.suppress(Exception):  # it is refused, as it should be
            built = _build(loss, {**arguments, name: smoothing})
            return way._replace(loss=built)(logits, classes)
        return None

    plain = result(0.0)
    for smoothing in (-arguments[name], 1 + arguments[name]):
        value = result(smoothing)
        if value is not None:
            silent = plain is not None and torch.equal(value, plain)
            done = "taken for no smoothing" if silent else "accepted"
            yield f"{name}={smoothing:.4g} is {done}"


def wrong_shapes(way: Way) -> Iterator[str]:
    """Compare the loss of sequences and images with the loss of their rows."""
    size = way.num_classes
    forms = [((2, 3, size), 2), ((2, size, 3), 1), ((2, size, 3, 4), 1)]
    if size <= ROWS:  # equal sizes, so that a wrong dimension fits
        forms += [((2, size, size), 1), ((2, size, size, size), 1)]
    rng = torch.Generator().manual_seed(0)
    for shape, dim in () if way.probabilities else forms:
        logits = torch.randn(shape, generator=rng, dtype=way.dtype).log_softmax(dim)
        short = shape[:dim] + shape[dim + 1 :]
        classes = torch.randint(size, short, generator=rng)
        with contextlib.suppress(Exception):  # it is refused, as it should be
            result = way.loss(logits.clone(), classes.clone())
            # The classes may be in any dimension that fits.
            flat = [
                way.loss(logits.movedim(d, -1).reshape(-1, size), classes.flatten())
                for d in range(1, len(shape))
                if (shape[d], shape[:d] + shape[d + 1 :]) == (size, short)
            ]
            if not any(_same(result, rows) for rows in flat):
                yield (
                    f"logits {shape} with target {short} give {result.mean():.4g}, "
                    f"flattened {flat[0].mean():.4g}"
                )


def overflow(way: Way, classes: Tensor) -> Iterator[str]:
    """Try as many logits as a sum of their losses in float16 cannot hold."""
    rows = 2**17 // way.num_classes + 1
    with contextlib.suppress(Exception):
        target = classes[:1].expand(rows)
        half, single = (
            way(torch.zeros(rows, way.num_classes, dtype=dtype), target)
            for dtype in (torch.float16, torch.float32)
        )
        if single.isfinite().all() and not half.isfinite().all():
            yield (
                f"{rows} rows of zeros in float16 give {half.mean().item()}, in float32 "
                f"{single.mean():.4g}"
            )


def _numbers(arguments: dict[str, Any]) -> dict[str, float]:
    """Return the arguments that could be a smoothing."""
    return {n: v for n, v in arguments.items() if isinstance(v, float) and 0 < v < 1}


def _near(values: Tensor, expected: float, slack: float = 0) -> bool:
    return bool(((values - expected).abs() < NEAR * abs(expected) + slack).all())


def _same(result: Tensor, expected: Tensor) -> bool:
    if result.numel() != expected.numel():
        result, expected = result.sum(), expected.sum()
    return torch.allclose(result.flatten(), expected.flatten(), rtol=NEAR)


def listed(classes: Iterable[int]) -> str:
    """Return classes in words."""
    return ", ".join(map(str, classes))
