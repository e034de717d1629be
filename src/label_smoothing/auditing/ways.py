"""Ways to call a loss, and the one in which it trains on a target."""

import contextlib
import itertools
import random
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from label_smoothing.auditing.recovery import Recovered, recover_target

CHANGES = "changes from call to call"
CALLS = 7  # with the same input: some losses are random now and then, some take turns
ROWS = 16  # of more classes, only so many and those that an argument names get a row


class Way(NamedTuple):
    """A loss, and a way to call it."""

    loss: Callable[[Tensor, Tensor], Tensor]
    num_classes: int
    probabilities: bool
    log_probs: bool
    dtype: torch.dtype
    swapped: bool = False
    softmaxed: bool = False

    def __str__(self) -> str:
        first = "log-probabilities" if self.log_probs else "logits"
        first = "probabilities" if self.softmaxed else first
        second = "probabilities" if self.probabilities else "class indices"
        words = (second, first) if self.swapped else (first, second)
        return ", ".join(words)

    def __call__(self, logits: Tensor, classes: Tensor, dim: int = 1) -> Tensor:
        """Return the loss of rows of these classes."""
        logits = logits.log_softmax(dim) if self.log_probs else logits
        # Copies, since a loss may work in place.
        return self.call(logits.clone(), self.target(classes, logits.dtype).clone())

    def call(self, logits: Tensor, target: Tensor) -> Tensor:
        """Call the loss with what it takes, in its order."""
        logits = logits.softmax(1) if self.softmaxed else logits
        return self.loss(target, logits) if self.swapped else self.loss(logits, target)

    def recover(self, classes: Tensor) -> Recovered:
        """Recover what the loss trains on in rows of these classes."""
        return recover_target(
            self.call,
            self.num_classes,
            self.target(classes, self.dtype),
            log_probs=self.log_probs,
            dtype=self.dtype,
        )

    def target(self, classes: Tensor, dtype: torch.dtype) -> Tensor:
        """Return classes in the form that the loss takes."""
        if not self.probabilities:
            return classes
        return F.one_hot(classes, self.num_classes).to(dtype)

    def gradient(self, logits: Tensor, classes: Tensor) -> Tensor:
        """Return the gradient of the sum of the losses with respect to the logits."""
        leaf = logits.detach().to(self.dtype).requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(self(leaf, classes).sum(), leaf)
        return gradient


class Found(NamedTuple):
    """The way that was found, and what the loss does in it."""

    way: Way
    classes: Tensor
    logits: Tensor
    first: Tensor  # what it gave at its first call, with these logits
    recovered: Recovered | None = None  # there is none of a loss that is erratic
    erratic: str = ""

    @property
    def learns(self) -> bool:
        """Say whether each row wants more of its own class, and of no other so much."""
        least, wanted = self.way.gradient(self.logits, self.classes).min(1)
        return torch.equal(wanted, self.classes) and bool((least < 0).all())

    @property
    def trains(self) -> bool:
        """Say whether each row has a target, and wants its own class most."""
        if self.recovered is None or not self.recovered.fixed.all():
            return False
        target, scale, _ = self.recovered
        counts = scale != 0
        best = target[counts].argmax(1)
        wanted = len(best) > 0 and torch.equal(best, self.classes[counts])
        return wanted and bool((scale[counts] > 0).all())


def find_way(
    loss: Callable[[Tensor, Tensor], Tensor], num_classes: int, classes: Tensor
) -> Found:
    """Call the loss in one way after the other, until one gives fixed targets."""
    rng = torch.Generator().manual_seed(1)
    z = torch.randn(len(classes), num_classes, generator=rng, dtype=torch.float64)
    found: list[Found] = []
    errors: list[Exception] = []
    for swapped, probabilities in itertools.product((False, True), repeat=2):
        for dtype in torch.float64, torch.float32:
            way = Way(loss, num_classes, probabilities, False, dtype, swapped)
            logits, first = z.to(dtype), torch.empty(0)
            with contextlib.suppress(Exception, SystemExit):  # recover says what is wrong
                first = way(logits, classes)
                if words := not found and changes(way, logits, classes, first):
                    return Found(way, classes, logits, first, None, words)
            try:
                recovered = way.recover(classes)
            except (RuntimeError, TypeError, ValueError) as error:
                errors.append(error)
                continue
            if words := not found and _by_place(way, logits, classes):
                return Found(way, classes, logits, first, None, words)
            found.append(Found(way, classes, logits, first, recovered))
            if not recovered.fixed.all():
                gradient = way.gradient(logits, classes)
                finite = first.isfinite().all() and gradient.isfinite().all()
                if not finite:  # it takes the logarithm itself
                    way = way._replace(softmaxed=True)
                elif not swapped and _is_linear(way, logits, classes, gradient):
                    way = way._replace(log_probs=True)  # it takes logarithms for granted
                if way != found[-1].way:
                    first, recovered = way(logits, classes), way.recover(classes)
                    found.append(Found(way, classes, logits, first, recovered))
            # Of classes that are wrong inside of it, one-hot vectors would show nothing.
            indices = not (swapped or probabilities) and recovered.fixed.all()
            if indices or found[-1].trains:
                return found[-1]
            break
    if not found:
        raise RuntimeError(
            f"loss works neither with class indices nor with probabilities: {errors[0]}"
        ) from errors[0]
    # No loss is taken to be called the other way round for a target that is odd.
    fixed = (
        one
        for one in found
        if one.recovered and one.recovered.fixed.all() and not one.way.swapped
    )
    learns = (one for one in found if one.learns)
    return next(itertools.chain(learns, fixed, found))


def same(value: Tensor, other: Tensor) -> bool:
    """Say whether two results are the same, up to rounding in float32."""
    return value.shape == other.shape and torch.allclose(
        value.double(), other.double(), rtol=1e-5, atol=1e-7, equal_nan=True
    )


def changes(way: Way, logits: Tensor, classes: Tensor, first: Tensor) -> str:
    """Say whether the same call gives another result, and why."""
    others = _others(way, logits, classes, first)
    if not others:
        return ""
    gave = f"one input gives {first.mean():.4g}, then {others[0].mean():.4g}"
    seeded = []
    for _ in range(2):
        for seed in seeds():
            seed(0)
        seeded.append(torch.stack([way(logits, classes) for _ in range(CALLS)]))
    # What has settled meanwhile was not random.
    settled = same(seeded[0][1:], seeded[0][:-1])
    return f"random: {gave}" if same(*seeded) and not settled else f"{CHANGES}: {gave}"


def _others(way: Way, logits: Tensor, classes: Tensor, first: Tensor) -> list[Tensor]:
    """Call a loss again and again, and return what is not as at first."""
    again = (way(logits, classes) for _ in range(CALLS))
    return [value for value in again if not same(first, value)]


def seeds() -> list[Callable[[int], Any]]:
    """Return what seeds the random numbers that a loss may draw."""
    numpy = sys.modules.get("numpy")
    of_numpy = [numpy.random.seed] if numpy else []
    return [torch.manual_seed, random.seed, *of_numpy]


def _by_place(way: Way, logits: Tensor, classes: Tensor) -> str:
    """Say whether it matters where in the batch a row stands."""
    rng = torch.Generator().manual_seed(1)
    gradient = way.gradient(logits, classes)
    order = torch.randperm(len(classes), generator=rng)
    if same(way.gradient(logits[order], classes[order]), gradient[order]):
        return ""
    again = (way.gradient(logits, classes) for _ in range(CALLS))
    if not all(same(gradient, value) for value in again):
        return CHANGES
    return "goes by place: a row that moves in the batch is counted otherwise"


def _is_linear(way: Way, logits: Tensor, classes: Tensor, gradient: Tensor) -> bool:
    return same(gradient, way.gradient(3 * logits.flip(1), classes))
