"""The probes of the audit: what is asked of a loss beside its target."""

import contextlib
import functools
import math
import re
from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from label_smoothing.auditing.readings import NEAR, SMOOTHS, numbers
from label_smoothing.auditing.recovery import Recovered
from label_smoothing.auditing.ways import ROWS, Way, same

IGNORED = -100  # the usual ignore_index
DIMENSIONS = re.compile("dim|axis", re.IGNORECASE)
PADS = re.compile("ignore|pad", re.IGNORECASE)


class Trials:
    """What was tried and what was not, and what is suspicious."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.not_tried: list[str] = []
        self.suspicious: list[str] = []

    @contextlib.contextmanager
    def of(self, words: str) -> Iterator[None]:
        """Try something; if the loss raises an error, it has not been tried."""
        try:
            yield
        except (Exception, SystemExit) as error:  # a loss may raise anything
            self.fail(words, error)
        else:
            self.tried.append(words)

    def fail(self, words: str, error: BaseException) -> None:
        """Keep what could not be tried, and why."""
        kind = type(error.__cause__ or error).__name__
        self.not_tried.append(f"{words} ({kind})")


def no_target(way: Way, classes: Tensor) -> str:
    """Say that there is no fixed target, and where there would be one."""
    words = "no fixed target on logits: it depends on them, or there is no softmax"
    if way.softmaxed:
        return "no fixed target: it depends on the probabilities"
    for on, before in (
        ("log-probabilities it has one, where that vanishes", torch.log_softmax),
        ("probabilities it has one", torch.softmax),
    ):
        composed = functools.partial(_after, way, before)
        with contextlib.suppress(Exception):
            if way._replace(loss=composed, swapped=False).recover(classes).fixed.all():
                return f"{words}; on {on}"
    return words


def _after(
    way: Way, before: Callable[[Tensor, int], Tensor], logits: Tensor, target: Tensor
) -> Tensor:
    return way.call(before(logits, 1), target)


def ignored_rows(
    way: Way,
    classes: Tensor,
    found: Recovered,
    arguments: dict[str, Any],
    trials: Trials,
) -> tuple[int, ...]:
    """Add a row of each class that may be one to ignore; return those that are."""
    if way.probabilities:
        return ()
    given = {
        name: int(value)
        for name, value in arguments.items()
        if isinstance(value, Integral) and not isinstance(value, bool)
    }
    ignored = []
    padding = {n for name, n in given.items() if PADS.search(name)}
    outside = {
        n
        for name, n in given.items()
        if (n < 0 and not DIMENSIONS.search(name))
        or (n >= way.num_classes and PADS.search(name))
    }
    within = {*classes[found.scale == 0].tolist()}
    for value in sorted({IGNORED, *outside, *within}):
        with trials.of(f"class {value}"):
            row = way.recover(torch.cat((classes, torch.tensor([value]))))
            if row.scale[-1] != 0:
                words = f"rows of class {value} are not ignored"
                q = row.target[-1]
                if row.fixed[-1] and q.max() - q.min() < NEAR:
                    words += ": the smoothing term counts them"
                trials.suspicious.append(words)
                continue
            ignored.append(value)
            less = row.scale[:-1] / found.scale
            if (less - len(classes) / (len(classes) + 1)).abs().nanmean() < NEAR:
                trials.suspicious.append("the mean divides by ignored rows too")
            elif (row.target[:-1] - found.target).abs().nan_to_num().max() > NEAR:
                words = "a row more to ignore changes the target of the others"
                trials.suspicious.append(f"{words}: one term divides by ignored rows too")
    counts = {*classes[found.scale != 0].tolist()}
    trials.suspicious += [
        f"rows of class {value} are not ignored" for value in padding & counts
    ]
    return tuple(ignored)


def rows_without_share(
    way: Way, padding: tuple[int, ...], num_classes: int, arguments: dict[str, Any]
) -> Iterator[str]:
    """Look for a class that is left out of the target, and yet is one to learn."""
    for value in padding:
        classes = torch.tensor([value, *{0, 1, num_classes - 1} - {value}])
        if way.recover(classes).scale[0] != 0:
            words = f"class {value} gets no share of the smoothing, but its rows count"
            if value - num_classes in (IGNORED, *arguments.values()):
                words += f": it is the one at index {value - num_classes}"
            yield words


def strong_logits(way: Way, classes: Tensor, found: Recovered, trials: Trials) -> None:
    """Look for what is clamped, masked or cut off where the logits are large."""
    rng = torch.Generator().manual_seed(3)
    q = found.target.nan_to_num()
    size = len(classes), way.num_classes
    drawn = torch.randn(size, generator=rng, dtype=torch.float64)
    own = torch.arange(way.num_classes) == classes[:, None]
    rest = drawn.masked_fill(own, -torch.inf).logsumexp(1, keepdim=True)
    with trials.of("strong logits"):
        for words, z in (
            ("where the true class has p = 0.995", drawn.where(~own, rest + 5.3)),
            ("where the true class has p = 0.0005", drawn.where(~own, rest - 7.6)),
            ("at a scale of 10", 10 * drawn),
            ("at a scale of 30", 30 * drawn),
        ):
            z = z.to(way.dtype)
            expected = found.scale[:, None] * (z.double().softmax(1) - q)
            off = (way.gradient(z, classes).double() - expected).abs().amax(1)
            if not (off <= NEAR * found.scale.abs()).all():
                trials.suspicious.append(f"for strong logits it is another loss: {words}")
                break
    with trials.of("a logit of -200"):
        value = way(drawn.where(~own, -200.0).float(), classes).mean().item()
        if not math.isfinite(value):
            words = f"a logit of -200 of the true class gives {value} in float32"
            trials.suspicious.append(words)


def bad_smoothing(
    build: Callable[..., Callable[[Tensor, Tensor], Tensor]],
    way: Way,
    classes: Tensor,
    name: str | None,
    arguments: dict[str, Any],
    trials: Trials,
) -> None:
    """Try a smoothing below zero, and one above one."""
    given = numbers(arguments)
    if name is None:
        names = [name for name in given if SMOOTHS.search(name) and 0 < given[name] < 1]
        if len(names) != 1:
            return
        (name,) = names
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(len(classes), way.num_classes, generator=rng, dtype=way.dtype)

    def result(smoothing: float) -> Tensor | None:
        with contextlib.suppress(Exception, SystemExit):  # it is refused, as it should be
            built = build({**arguments, name: smoothing})
            return way._replace(loss=built)(logits, classes)
        return None

    plain, low, high = result(0.0), -given[name], 1 + given[name]
    trials.tried.append(f"{name}={low:.4g}, {high:.4g} and nan")
    for smoothing in (low, high, math.nan):
        value = result(smoothing)
        if value is not None:
            silent = plain is not None and torch.equal(value, plain)
            done = "taken for no smoothing" if silent else "accepted"
            trials.suspicious.append(f"{name}={smoothing:.4g} is {done}")


def wrong_shapes(way: Way, trials: Trials) -> None:
    """Compare the loss of sequences and images with the loss of their rows."""
    size = way.num_classes
    if way.probabilities or way.swapped:
        return
    sequences = {(2, 3, size): 2, (2, size, 3): 1}
    images = {(2, size, 3, 4): 1}
    if size <= ROWS:  # equal sizes, so that a wrong dimension fits
        sequences |= {(2, size, size): 1}
        images |= {(2, size, size, size): 1}
    for name, forms in (("sequences", sequences), ("images", images)):
        rng = torch.Generator().manual_seed(0)
        refused: list[BaseException] = []
        for shape, dim in forms.items():
            try:
                trials.suspicious += _wrong_shape(way, shape, dim, rng)
            except (
                Exception,
                SystemExit,
            ) as error:  # one dim is that of classes
                refused.append(error)
        if len(refused) == len(forms):
            trials.fail(name, refused[0])
        else:
            trials.tried.append(name)


def _wrong_shape(
    way: Way, shape: tuple[int, ...], dim: int, rng: torch.Generator
) -> Iterator[str]:
    size = way.num_classes
    logits = torch.randn(shape, generator=rng, dtype=way.dtype).log_softmax(dim)
    logits = logits.exp() if way.softmaxed else logits
    short = shape[:dim] + shape[dim + 1 :]
    classes = torch.randint(size, short, generator=rng)
    result = way.loss(logits.clone(), classes.clone())
    # The classes may be in any dimension that fits.
    flat = [
        way.loss(logits.movedim(d, -1).reshape(-1, size), classes.flatten())
        for d in range(1, len(shape))
        if (shape[d], shape[:d] + shape[d + 1 :]) == (size, short)
    ]
    if not any(_agree(result, rows) for rows in flat):
        yield (
            f"logits {shape} with target {short} give {result.mean():.4g}, "
            f"flattened {flat[0].mean():.4g}"
        )


def overflow(way: Way, classes: Tensor, trials: Trials) -> None:
    """Try as many logits as a sum of their losses in float16 cannot hold."""
    rows = 2**17 // way.num_classes + 1
    with trials.of("float16"):
        target = classes[:1].expand(rows)
        half, single = (
            way(torch.zeros(rows, way.num_classes, dtype=dtype), target)
            for dtype in (torch.float16, torch.float32)
        )
        if single.isfinite().all() and not half.isfinite().all():
            trials.suspicious.append(
                f"{rows} rows of zeros in float16 give {half.mean().item()}, in float32 "
                f"{single.mean():.4g}"
            )


def _agree(result: Tensor, rows: Tensor) -> bool:
    """Say whether the loss of a batch is that of its rows, reduced in its own way."""
    if result.numel() == rows.numel():
        return same(result.flatten(), rows.flatten())
    return same(result.sum(), rows.sum()) or same(result.mean(), rows.mean())
