"""A zoo of losses: right ones, wrong ones, and what is known of each by hand.

A row of a cross entropy is Σ −a(k) log p(k). The a are written by hand; that they are
those of the code, and that no loss is less than the floor, is tested without the audit.
"""

import math
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from label_smoothing import LabelSmoothing, LabelSmoothingLoss, cross_entropy

E = 0.1  # the smoothing, if nothing else is said
K = 10


class Case(NamedTuple):
    """A loss, and what is known of it."""

    name: str
    loss: Callable[..., Any]
    num_classes: int
    arguments: dict[str, Any]
    facts: dict[str, Any]  # fields of the audit
    found: tuple[str, ...]  # patterns, each of something suspicious
    only: bool  # whether nothing else may be found
    rows: int | None
    signature: tuple[str, int | str | None, tuple[str, str]] | None
    raises: type[Exception] | None

    @property
    def sound(self) -> bool:
        return self.only and not self.found


CASES: list[Case] = []
Loss = TypeVar("Loss", bound=Callable[..., Any])


def zoo(
    facts: dict[str, Any],
    *found: str,
    name: str = "",
    num_classes: int = K,
    arguments: dict[str, Any] | None = None,
    only: bool = False,
    rows: int | None = None,
    signature: tuple[str, int | str | None, tuple[str, str]] | None = None,
    raises: type[Exception] | None = None,
) -> Callable[[Loss], Loss]:
    """Put a loss into the zoo; ``name`` follows its own where it is there twice."""
    given = {"smoothing": E} if arguments is None else arguments

    def add(loss: Loss) -> Loss:
        kind = getattr(loss, "__name__", type(loss).__name__)
        whole = f"{kind} {name}".strip()
        CASES.append(
            Case(
                whole,
                loss,
                num_classes,
                given,
                facts,
                found,
                only,
                rows,
                signature,
                raises,
            )
        )
        return loss

    return add


def sound(facts: dict[str, Any], **more: Any) -> Callable[[Loss], Loss]:
    """Put a loss into the zoo that has no mistake."""
    return zoo(facts, only=True, **more)


def facts(
    true: float,
    other: float,
    num_classes: int = K,
    *,
    padding: tuple[int, ...] = (),
    divergence: bool = False,
    unit: str = "nats",
    parts: int = 1,
    **more: Any,
) -> dict[str, Any]:
    """The facts of rows with these a(k), those of the padding zero, in ``parts``."""
    a = [true] + [other] * (num_classes - 1 - len(padding))
    base = {"nats": math.e, "bits": 2, "hartleys": 10}[unit]
    total = math.fsum(a)
    # The best p(k) is a(k) / total. A divergence is less by the entropy of the a.
    least = -math.fsum(x * math.log(x / total) for x in a if x)
    if divergence:
        least += math.fsum(x * math.log(x) for x in a if x)
    return {
        "true": true / total,
        "other": other / total,
        "target_sum": total,
        "floor": least / math.log(base) / parts,
        "unit": unit,
        "padding": padding,
        "reduction": "mean",
        "takes": "logits, class indices",
    } | more


NO_TARGET = {"true": None, "other": None, "target_sum": None, "floor": None}
UNIFORM = (1 - E + E / K, E / K)
OTHERS = (1 - E, E / (K - 1))
PADDED = (1 - E, E / (K - 2))
NORMALISED = ((1 + E / K) / (1 + E), E / K / (1 + E))
HARD = (1.0, 0.0)


def named(convention: str, **more: Any) -> dict[str, Any]:
    return {"convention": convention, "argument": "smoothing"} | more


def check(logits: Tensor, smoothing: float = 0.0) -> None:
    if logits.dim() != 2:
        raise ValueError(f"expected logits of shape (N, K), got {tuple(logits.shape)}")
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing must be from 0 to 1, got {smoothing}")


def log_probs(logits: Tensor) -> Tensor:
    """In float32 at least."""
    wide = torch.promote_types(logits.dtype, torch.float32)
    return logits.log_softmax(1, dtype=wide)


def nll(log_p: Tensor, target: Tensor) -> Tensor:
    return -log_p.gather(1, target[:, None]).squeeze(1)


def filled(log_p: Tensor, target: Tensor, true: float, other: float) -> Tensor:
    """A target with one value for the true class and one for all others."""
    return torch.full_like(log_p, other).scatter(1, target[:, None], true)


def cross(q: Tensor, log_p: Tensor) -> Tensor:
    return -(q * log_p).sum(1)


def smoothed(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """One loss per row, as in PyTorch."""
    log_p = log_probs(logits)
    return (1 - smoothing) * nll(log_p, target) - smoothing * log_p.mean(1)


# --- sound: conventions and reductions


@sound(facts(*UNIFORM, offset=0, **named("uniform")))
def uniform_mean(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    return smoothed(logits, target, smoothing).mean()


@sound(facts(*UNIFORM, reduction="sum", offset=0, **named("uniform")))
def uniform_sum(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    return smoothed(logits, target, smoothing).sum()


@sound(facts(*UNIFORM, reduction="none", offset=0, **named("uniform")))
class UniformRows(nn.Module):
    def __init__(self, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        check(logits, self.smoothing)
        log_p = log_probs(logits)
        one_hot = F.one_hot(target, log_p.shape[1]).to(log_p.dtype)
        return cross(torch.lerp(one_hot, one_hot.mean(1, True), self.smoothing), log_p)


@sound(facts(*OTHERS, offset=0, **named("others")))
def others(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    q = filled(log_p, target, 1 - smoothing, smoothing / (log_p.shape[1] - 1))
    return cross(q, log_p).mean()


def padded_rows(
    logits: Tensor, target: Tensor, smoothing: float, padding_idx: int
) -> tuple[Tensor, Tensor]:
    """The target and the log-probabilities of the rows that are no padding."""
    check(logits, smoothing)
    if not ((target >= 0) & (target < logits.shape[1])).all():
        raise IndexError("no such class")
    kept = target != padding_idx
    log_p = log_probs(logits)[kept]
    q = torch.full_like(log_p, smoothing / (log_p.shape[1] - 2))
    q[:, padding_idx] = 0
    return q.scatter(1, target[kept, None], 1 - smoothing), log_p


def without_padding(index: int) -> dict[str, Any]:
    more = named("others-without-padding", ignored=(index,))
    return facts(*PADDED, padding=(index,), **more)


@sound(
    without_padding(K - 1),
    name="last",
    arguments={"smoothing": E, "padding_idx": K - 1},
)
@sound(without_padding(1), name="1", arguments={"smoothing": E, "padding_idx": 1})
@sound(without_padding(0), name="0", arguments={"smoothing": E, "padding_idx": 0})
def without_padding_class(
    logits: Tensor, target: Tensor, smoothing: float, padding_idx: int
) -> Tensor:
    return cross(*padded_rows(logits, target, smoothing, padding_idx)).mean()


@sound(facts(*NORMALISED, offset=0, **named("normalised")))
def normalised(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    rows = nll(log_p, target) - smoothing * log_p.mean(1)
    return (rows / (1 + smoothing)).mean()


def binary(logits: Tensor, target: Tensor, label: Tensor) -> Tensor:
    """A sigmoid of the difference of two logits."""
    check(logits)
    if not ((target == 0) | (target == 1)).all():
        raise IndexError("the classes are 0 and 1")
    z = logits.to(torch.promote_types(logits.dtype, torch.float32)).diff(dim=1)[:, 0]
    return F.binary_cross_entropy_with_logits(z, label.to(z.dtype))


@sound(facts(1 - E / 2, E / 2, 2, argument="smoothing"), num_classes=2)
def half(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    return binary(logits, target, target * (1 - smoothing) + smoothing / 2)


@sound(facts(1 - E, E, 2, argument="smoothing"), num_classes=2)
def swap(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    return binary(logits, target, (target - smoothing).abs())


# --- sound: divergences


def divergence(true: float, other: float, num_classes: int = K) -> dict[str, Any]:
    entropy = facts(true, other, num_classes)["floor"]
    return facts(true, other, num_classes, divergence=True, offset=entropy)


@sound(divergence(*UNIFORM))
def divergence_uniform(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    q = smoothing / log_p.shape[1] + filled(log_p, target, 1 - smoothing, 0)
    return F.kl_div(log_p, q, reduction="batchmean")


@sound(divergence(*OTHERS))
def divergence_others(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    q = filled(log_p, target, 1 - smoothing, smoothing / (log_p.shape[1] - 1))
    return F.kl_div(log_p, q, reduction="batchmean")


@sound(
    facts(*PADDED, padding=(0,), divergence=True, ignored=(0,)),
    arguments={"smoothing": E, "padding_idx": 0},
)
def divergence_without_padding(
    logits: Tensor, target: Tensor, smoothing: float, padding_idx: int
) -> Tensor:
    q, log_p = padded_rows(logits, target, smoothing, padding_idx)
    return F.kl_div(log_p, q, reduction="batchmean")


@sound(divergence(*NORMALISED))
def divergence_normalised(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    q = F.normalize(filled(log_p, target, 1, 0) + smoothing / log_p.shape[1], p=1, dim=1)
    return F.kl_div(log_p, q, reduction="batchmean")


@sound(divergence(1 - E / 2, E / 2, 2), num_classes=2, name="half")
@sound(
    divergence(1 - E, E, 2), num_classes=2, name="swap", arguments={"smoothing": 2 * E}
)
def divergence_binary(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    q = filled(log_p, target, 1 - smoothing / 2, smoothing / 2)
    return F.kl_div(log_p, q, reduction="batchmean")


# --- sound: other units, inputs and results


@sound(facts(*UNIFORM, parts=K, reduction="mean over rows and classes"))
def mean_of_cells(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    q = F.one_hot(target, log_p.shape[1]) * (1 - smoothing) + smoothing / log_p.shape[1]
    return -(q * log_p).mean()


@sound(
    facts(
        *PADDED,
        padding=(0,),
        ignored=(0,),
        parts=K,
        divergence=True,
        reduction="mean over rows and classes",
    ),
    arguments={"smoothing": E, "padding_idx": 0},
)
def mean_of_cells_without_padding(
    logits: Tensor, target: Tensor, smoothing: float, padding_idx: int
) -> Tensor:
    q, log_p = padded_rows(logits, target, smoothing, padding_idx)
    return F.kl_div(log_p, q, reduction="none").mean()


@sound(facts(*UNIFORM, unit="bits"))
def in_bits(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    return smoothed(logits, target, smoothing).mean() / math.log(2)


@sound(facts(*UNIFORM, unit="hartleys", reduction="sum"))
def in_hartleys(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits) * math.log10(math.e)
    q = filled(log_p, target, 1 - smoothing + smoothing / K, smoothing / K)
    return cross(q, log_p).sum()


@sound(facts(*UNIFORM, takes="log-probabilities, class indices"))
def of_log_probabilities(log_p: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(log_p, smoothing)
    log_p = log_p.to(torch.promote_types(log_p.dtype, torch.float32))
    rows = (1 - smoothing) * nll(log_p, target) - smoothing * log_p.mean(1)
    return rows.mean()


@sound(facts(*HARD, takes="log-probabilities, class indices"), arguments={})
def plain_nll(log_p: Tensor, target: Tensor) -> Tensor:
    check(log_p)
    wide = torch.promote_types(log_p.dtype, torch.float32)
    return nll(log_p.to(wide), target).mean()


@sound(facts(*HARD, takes="log-probabilities, probabilities"), arguments={})
class DivergenceOfBoth(nn.Module):
    def forward(self, log_p: Tensor, q: Tensor) -> Tensor:
        check(log_p)
        if q.shape != log_p.shape:
            raise ValueError("expected probabilities")
        wide = torch.promote_types(log_p.dtype, torch.float32)
        return F.kl_div(log_p.to(wide), q.to(wide), reduction="batchmean")


@sound(facts(*UNIFORM, takes="logits, probabilities"))
def of_probabilities(logits: Tensor, q: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    if not (q.is_floating_point() and q.shape == logits.shape):
        raise TypeError("expected probabilities")
    log_p = log_probs(logits)
    return cross((1 - smoothing) * q + smoothing / q.shape[1], log_p).mean()


@sound(facts(*UNIFORM), signature=("NTV", None, ("logits", "target")))
def classes_last(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    if logits.dim() != 3 or target.shape != logits.shape[:2]:
        raise ValueError("expected logits of shape (N, T, V)")
    rows = logits.reshape(-1, logits.shape[2])
    check(rows, smoothing)
    return smoothed(rows, target.reshape(-1), smoothing).mean()


@sound(
    facts(*PADDED, padding=(0,), ignored=(0,)),
    signature=("NTV", None, ("logits", "target")),
)
def classes_last_without_padding(
    logits: Tensor, target: Tensor, smoothing: float
) -> Tensor:
    if logits.dim() != 3 or target.shape != logits.shape[:2]:
        raise ValueError("expected logits of shape (N, T, V)")
    rows = logits.reshape(-1, logits.shape[2])
    return cross(*padded_rows(rows, target.reshape(-1), smoothing, 0)).mean()


@sound(facts(*UNIFORM), signature=("NCHW", None, ("logits", "target")))
def of_images(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    if logits.dim() != 4:
        raise ValueError("expected logits of shape (N, C, H, W)")
    rows = logits.movedim(1, -1).reshape(-1, logits.shape[1])
    check(rows, smoothing)
    return smoothed(rows, target.reshape(-1), smoothing).mean()


@sound(facts(*UNIFORM), signature=("NV", 1, ("logits", "target")))
def second_of_two(
    logits: Tensor, target: Tensor, smoothing: float
) -> tuple[Tensor, Tensor]:
    check(logits, smoothing)
    right = (logits.argmax(1) == target).float().mean()
    return right, smoothed(logits, target, smoothing).mean()


@sound(facts(*UNIFORM), signature=("NV", "loss", ("logits", "target")))
def among_others(logits: Tensor, target: Tensor, smoothing: float) -> dict[str, Tensor]:
    check(logits, smoothing)
    return {"logits": logits, "loss": smoothed(logits, target, smoothing).mean()}


@zoo(
    facts(*UNIFORM, takes="class indices, logits"),
    "the target comes first",
    name="undeclared",
    only=True,
)
@sound(facts(*UNIFORM), signature=("NV", None, ("target", "logits")), name="declared")
def target_first(target: Tensor, logits: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    if target.dim() != 1 or target.is_floating_point():
        raise ValueError("expected classes")
    return smoothed(logits, target, smoothing).mean()


@sound(facts(*UNIFORM))
def prints(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    loss = smoothed(logits, target, smoothing).mean()
    print("loss", loss.item())
    return loss


def ignoring(rows: Tensor, target: Tensor, index: int) -> Tensor:
    return rows.masked_fill(target == index, 0).sum() / (target != index).sum()


@sound(
    facts(*UNIFORM, ignored=(255,)),
    name="255",
    arguments={"smoothing": E, "ignore_index": 255},
)
@sound(
    facts(*UNIFORM, ignored=(-1,)),
    name="-1",
    arguments={"smoothing": E, "ignore_index": -1},
)
@sound(
    facts(*UNIFORM, ignored=(-100,)),
    name="-100",
    arguments={"smoothing": E, "ignore_index": -100},
)
def ignores(
    logits: Tensor, target: Tensor, smoothing: float, ignore_index: int
) -> Tensor:
    check(logits, smoothing)
    classes = target.masked_fill(target == ignore_index, 0)
    return ignoring(smoothed(logits, classes, smoothing), target, ignore_index)


@sound(
    facts(1 - 3e-5 + 3e-6, 3e-6, **named("uniform")),
    arguments={"smoothing": 3e-5},
    name="of 3e-5",
)
@sound(
    facts(1 - float(np.float32(E)) * 0.9, float(np.float32(E)) / K, **named("uniform")),
    arguments={"smoothing": np.float32(E)},
    name="of numpy",
)
@sound(
    facts(*UNIFORM, **named("uniform")),
    arguments={"smoothing": Fraction(1, 10)},
    name="of Fraction",
)
def any_number(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    return smoothed(logits, target, float(smoothing)).mean()


@sound(facts(*UNIFORM, **named("uniform")))
def exits_if_asked_too_much(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits)
    if not 0 <= smoothing < 1:
        sys.exit("smoothing must be from 0 to 1")
    return smoothed(logits, target, smoothing).mean()


@sound(facts(*UNIFORM))
class WritesInPlace:
    """Over its input, as it may."""

    def __init__(self, smoothing: float) -> None:
        self.smoothing = smoothing

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        check(logits, self.smoothing)
        loss = smoothed(logits.clone(), target.clone(), self.smoothing).mean()
        logits.detach().zero_()
        target.zero_()
        return loss


@sound(facts(*UNIFORM))
def of_shape_one(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    return smoothed(logits, target, smoothing).mean().reshape(1)


@sound(facts(*UNIFORM))
def in_float32(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    return smoothed(logits.float(), target, smoothing).mean()


@sound(facts(*UNIFORM))
def of_float32(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    if logits.dtype != torch.float32:
        raise TypeError("expected torch.float32")
    return smoothed(logits, target, smoothing).mean()


@sound(facts(*UNIFORM))
def of_pairs_of_pairs(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    if len(logits) % 4:
        raise ValueError("expected four views of each sample")
    return sum(smoothed(logits, target, smoothing).chunk(4), torch.zeros(())).mean() / 4


@sound(facts(1 - E + E / 2, E / 2, 2), arguments={}, num_classes=2)
@sound(facts(1 - E + E / 17, E / 17, 17), arguments={}, num_classes=17, name="of 17")
@sound(facts(1 - E + E / 16, E / 16, 16), arguments={}, num_classes=16, name="of 16")
@sound(facts(1 - 0.99 + 0.099, 0.099), arguments={"smoothing": 0.99}, name="much")
@sound(facts(*HARD), arguments={"smoothing": 0.0}, name="none")
def by_default(logits: Tensor, target: Tensor, smoothing: float = E) -> Tensor:
    check(logits, smoothing)
    return smoothed(logits, target, smoothing).mean()


sound(facts(*UNIFORM, reduction="none"), arguments={}, name="built")(UniformRows(E))


for package, epsilon in (
    (LabelSmoothing, "smoothing"),
    (LabelSmoothingLoss, "smoothing"),
    (cross_entropy, "label_smoothing"),
):
    sound(
        facts(*UNIFORM, ignored=(-100,), convention="uniform", argument=epsilon),
        arguments={epsilon: E},
        name="of this package",
    )(package)


# --- a target that does not sum to one


@zoo(
    facts(1 - E, E / K),
    r"the target sums to 0\.99, not to one.*smoothing/10 where smoothing/9",
    only=True,
)
class DividesByAll(nn.Module):
    def __init__(self, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        check(logits, self.smoothing)
        log_p = log_probs(logits)
        q = torch.full_like(log_p, self.smoothing / log_p.shape[1])
        q.scatter_(1, target[:, None], 1 - self.smoothing)
        return -(q * log_p).sum(1).mean()


@zoo(
    facts(1 - E, E / K, divergence=True, reduction="sum"),
    r"the target sums to 0\.99, not to one.*smoothing/10 where smoothing/9",
    only=True,
)
def divergence_by_all(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    q = filled(log_p, target, 1 - smoothing, smoothing / log_p.shape[1])
    return F.kl_div(log_p, q, reduction="sum")


@zoo(
    facts(1 - E, E / (K - 2)),
    r"the target sums to 1\.01\d*, not to one.*smoothing/8 where smoothing/9",
    only=True,
)
def two_less_without_padding(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    q = filled(log_p, target, 1 - smoothing, smoothing / (log_p.shape[1] - 2))
    return cross(q, log_p).mean()


@zoo(
    facts(1 - E + 1 / K, 1 / K),
    r"the target sums to 1\.9, not to one.*1/10, or smoothing/1, where smoothing/10",
    only=True,
)
def one_share_each(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    one_hot = F.one_hot(target, log_p.shape[1])
    return cross(one_hot * (1 - smoothing) + 1 / log_p.shape[1], log_p).mean()


@zoo(
    facts(1, E / K),
    r"the target sums to 1\.09, not to one.*the true class keeps 1",
    only=True,
)
def keeps_one(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    share = smoothing / log_p.shape[1]
    one_hot = F.one_hot(target, log_p.shape[1])
    return cross(one_hot * (1 - share) + share, log_p).mean()


@zoo(
    facts(1 - E + E / 100, E / 100),
    r"the target sums to 0\.91, not to one.*class count 100, given 10",
    only=True,
)
@zoo(
    facts(1 - E + E / 11, E / 11),
    r"the target sums to 0\.9909, not to one.*class count 11, given 10",
    name="of 11",
    arguments={"smoothing": E, "classes": 11},
    only=True,
)
def hundred_classes(
    logits: Tensor, target: Tensor, smoothing: float, classes: int = 100
) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    one_hot = F.one_hot(target, log_p.shape[1])
    return cross(one_hot * (1 - smoothing) + smoothing / classes, log_p).mean()


@zoo(
    facts(1 - E, E / 99, reduction="none"),
    r"the target sums to 0\.9091, not to one.*class count 100, given 10",
    only=True,
)
def hundred_classes_others(
    logits: Tensor, target: Tensor, smoothing: float, classes: int = 100
) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    return cross(filled(log_p, target, 1 - smoothing, smoothing / (classes - 1)), log_p)


@zoo(
    facts(1 - E + E, E, 5),
    r"the target sums to 1\.4, not to one",
    num_classes=5,
    only=True,
)
def sums_over_classes(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    rows = (1 - smoothing) * nll(log_p, target) - smoothing * log_p.sum(1)
    return rows.mean()


@zoo(facts(1 + E / K, E / K), r"the target sums to 1\.1, not to one", only=True)
def adds_without_less(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    return (nll(log_p, target) - smoothing * log_p.mean(1)).mean()


@zoo(facts(1 - E + E / 2, E / 2), r"the target sums to 1\.4, not to one", only=True)
def half_of_ten(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    one_hot = F.one_hot(target, log_p.shape[1])
    return cross(one_hot * (1 - smoothing) + smoothing / 2, log_p).mean()


@zoo(
    facts(UNIFORM[0] / 2, UNIFORM[1] / 2, reduction="sum"),
    r"the target sums to 0\.5, not to one",
    only=True,
    name="sum",
    arguments={"smoothing": E, "reduction": "sum"},
)
@zoo(
    facts(UNIFORM[0] / 2, UNIFORM[1] / 2),
    r"the target sums to 0\.5, not to one",
    only=True,
    name="mean",
    arguments={"smoothing": E, "reduction": "mean"},
)
def half_the_loss(
    logits: Tensor, target: Tensor, smoothing: float, reduction: str
) -> Tensor:
    check(logits, smoothing)
    rows = smoothed(logits, target, smoothing) / 2
    return rows.sum() if reduction == "sum" else rows.mean()


@zoo(
    facts(0.9, 0.0),
    r"the target sums to 0\.9, not to one",
    arguments={"beta": 0.1},
)
def follows_itself(logits: Tensor, target: Tensor, beta: float) -> Tensor:
    """The part of the target that is its own p pulls nowhere."""
    check(logits)
    log_p = log_probs(logits)
    q = F.one_hot(target, log_p.shape[1]) * (1 - beta) + beta * log_p.detach().exp()
    return cross(q, log_p).mean()


# --- rows


@zoo(
    facts(*UNIFORM),
    "rows of class 255 are not ignored",
    name="255",
    arguments={"smoothing": E, "ignore_index": 255},
)
@zoo(
    facts(*UNIFORM),
    "rows of class -1 are not ignored",
    name="-1",
    arguments={"smoothing": E, "ignore_index": -1},
)
@zoo(
    facts(*UNIFORM),
    "rows of class -100 are not ignored",
    name="-100",
    arguments={"smoothing": E},
)
def smooths_ignored_rows(
    logits: Tensor, target: Tensor, smoothing: float, ignore_index: int = -100
) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    first = F.nll_loss(log_p, target, ignore_index=ignore_index)
    return (1 - smoothing) * first - smoothing * log_p.mean(1).mean()


@zoo(
    {"true": UNIFORM[0], "other": UNIFORM[1], "ignored": (-100,)},
    "the mean divides by ignored rows too",
    only=True,
)
def divides_by_ignored_rows(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    rows = smoothed(logits, target.where(target != -100, 0), smoothing)
    return rows.masked_fill(target == -100, 0).mean()


@zoo(
    {"true": PADDED[0], "other": PADDED[1], "ignored": (0,), "padding": (0,)},
    "the mean divides by ignored rows too",
    only=True,
    arguments={"smoothing": E, "padding_idx": 0},
)
def divides_by_padding(
    logits: Tensor, target: Tensor, smoothing: float, padding_idx: int
) -> Tensor:
    q, log_p = padded_rows(logits, target, smoothing, padding_idx)
    return cross(q, log_p).sum() / len(target)


@zoo({"true": UNIFORM[0], "other": UNIFORM[1]}, "a row counts 0\\.\\d+, which", only=True)
def divides_by_batch_size(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """Of the training, not of this batch."""
    check(logits, smoothing)
    return smoothed(logits, target, smoothing).sum() / 32


@zoo({"true": UNIFORM[0], "other": UNIFORM[1]}, "a row counts 0\\.\\d+, which", only=True)
def divides_by_one_more(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    return smoothed(logits, target, smoothing).sum() / (len(logits) + 1)


@zoo(
    {},
    "class 10 gets no share of the smoothing, but its rows count",
    num_classes=110,
)
def index_from_the_end(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """The index -100 of the ignored rows is also that of a class."""
    check(logits, smoothing)
    log_p = log_probs(logits)
    q = torch.full_like(log_p, smoothing / (log_p.shape[1] - 2))
    q[:, -100] = 0
    classes = target.where(target != -100, 0)
    q = q.scatter(1, classes[:, None], 1 - smoothing)
    return ignoring(cross(q, log_p), target, -100)


@zoo(
    {
        "true": 1,
        "other": 0,
        "target_sum": None,
        "takes": "logits, class indices",
    },
    arguments={"weight": torch.linspace(1, 2, K).double()},
    only=True,
)
def weighs_rows(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    check(logits)
    counts = weight[target]
    return (counts * nll(log_probs(logits), target)).sum() / counts.sum()


@zoo(
    {"true": None, "other": None, "target_sum": None},
    "the target differs between classes",
    arguments={"smoothing": E, "weight": torch.linspace(1, 2, K).double()},
    only=True,
)
def weighs_classes(
    logits: Tensor, target: Tensor, smoothing: float, weight: Tensor
) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    q = filled(log_p, target, 1 - smoothing + smoothing / K, smoothing / K)
    return cross(q, log_p * weight).sum() / weight[target].sum()


@zoo({}, "no row counts", arguments={})
def counts_nothing(logits: Tensor, target: Tensor) -> Tensor:
    return (logits * 0).sum()


@zoo({}, "some rows count negative")
def moves_away(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    return -smoothed(logits, target, smoothing).mean()


# --- the target


@zoo(
    {"true": 1 + E - E / K, "other": -E / K, "target_sum": 1},
    "the target has a negative probability",
)
def wrong_sign(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    return ((1 + smoothing) * nll(log_p, target) + smoothing * log_p.mean(1)).mean()


@zoo(
    facts(0.05, 0.95 / 9),
    "train towards another class",
    arguments={"smoothing": 0.95},
    only=True,
)
def too_much(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    return others(logits, target, smoothing)


@zoo({}, "train towards another class")
def off_by_one(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    return smoothed(logits, (target + 1) % logits.shape[1], smoothing).mean()


@zoo(
    {"true": None, "target_sum": 1},
    "the target differs between classes",
    only=True,
    arguments={"smoothing": E, "prior": (torch.arange(10) + 1.0).double() / 55},
)
def towards_a_prior(
    logits: Tensor, target: Tensor, smoothing: float, prior: Tensor
) -> Tensor:
    check(logits, smoothing)
    log_p = log_probs(logits)
    q = F.one_hot(target, len(prior)) * (1 - smoothing) + smoothing * prior
    return cross(q, log_p).mean()


@zoo({}, "the target differs between classes")
def towards_the_batch(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """The mean of the one-hot rows is taken over the wrong dimension."""
    check(logits, smoothing)
    log_p = log_probs(logits)
    one_hot = F.one_hot(target, log_p.shape[1]).to(log_p.dtype)
    q = (1 - smoothing) * one_hot + smoothing * one_hot.mean(0)
    return cross(q, log_p).mean()


# --- the smoothing that is given


@zoo(
    facts(*UNIFORM, **named("uniform")),
    r"smoothing=-0\.1 is accepted",
    "smoothing=nan is accepted",
)
@zoo(
    {"true": 1 + E - E / K, "other": -E / K, "target_sum": 1},
    "the target has a negative probability",
    r"smoothing=-0\.1 is accepted",
    arguments={"smoothing": -E},
    name="a negative one",
)
def accepts_any(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits)
    return smoothed(logits, target, smoothing).mean()


@zoo(facts(*UNIFORM), r"smoothing=-0\.1 is taken for no smoothing")
@zoo(
    facts(*HARD),
    r"smoothing=-0\.1 (is taken for no smoothing|smooths nothing)",
    arguments={"smoothing": -E},
    name="a negative one",
)
def negative_is_none(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, max(smoothing, 0))
    return smoothed(logits, target, max(smoothing, 0)).mean()


@zoo(facts(*UNIFORM), "smoothing=nan is accepted", only=True)
def nan_slips_through(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits)
    if smoothing < 0 or smoothing >= 1:
        raise ValueError(smoothing)
    return smoothed(logits, target, smoothing).mean()


@zoo(facts(*UNIFORM), "smoothing=nan is taken for no smoothing", only=True)
def nan_is_none(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits)
    if smoothing < 0 or smoothing >= 1:
        raise ValueError(smoothing)
    if smoothing > 0:
        return smoothed(logits, target, smoothing).mean()
    return nll(log_probs(logits), target).mean()


@zoo(facts(*HARD), r"smoothing=0\.1 smooths nothing", only=True)
def drops_smoothing(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    return nll(log_probs(logits), target).mean()


# --- no cross entropy of the logits


@zoo({}, "no fixed target on logits", arguments={})
def with_squared_logsumexp(logits: Tensor, target: Tensor) -> Tensor:
    check(logits)
    return (
        nll(log_probs(logits), target).mean() + 0.1 * logits.logsumexp(1).square().mean()
    )


@zoo(NO_TARGET, "no fixed target", arguments={"gamma": 2.0})
def focal(logits: Tensor, target: Tensor, gamma: float) -> Tensor:
    check(logits)
    rows = nll(log_probs(logits), target)
    return ((1 - (-rows).exp()) ** gamma * rows).mean()


@zoo(NO_TARGET, "no fixed target", arguments={})
def poly_one(logits: Tensor, target: Tensor) -> Tensor:
    check(logits)
    rows = nll(log_probs(logits), target)
    return (rows + 1 - (-rows).exp()).mean()


@zoo(NO_TARGET, "no fixed target", arguments={"q": 0.7})
def generalised(logits: Tensor, target: Tensor, q: float) -> Tensor:
    check(logits)
    return ((1 - (-q * nll(log_probs(logits), target)).exp()) / q).mean()


@zoo(NO_TARGET, "no fixed target", arguments={})
def symmetric(logits: Tensor, target: Tensor) -> Tensor:
    check(logits)
    log_p = log_probs(logits)
    back = 4 * (1 - log_p.exp().gather(1, target[:, None]).squeeze(1))
    return (nll(log_p, target) + back).mean()


@zoo(NO_TARGET, "no fixed target", arguments={})
def tempered(logits: Tensor, target: Tensor) -> Tensor:
    check(logits)
    p = log_probs(logits).exp()
    own = (1 - p.gather(1, target[:, None]).squeeze(1) ** 0.2) / 0.2
    return (own - (1 - (p**1.2).sum(1)) / 1.2).mean()


@zoo(NO_TARGET, "no fixed target", arguments={"alpha": 0.1})
def relaxed(logits: Tensor, target: Tensor, alpha: float) -> Tensor:
    check(logits)
    log_p = log_probs(logits)
    p = log_p.detach().exp()
    own = p.gather(1, target[:, None])
    q = (alpha * p / (1 - own)).scatter(1, target[:, None], 1 - alpha)
    rows = F.kl_div(log_p, q, reduction="none").sum(1)
    return rows.masked_fill(own.squeeze(1) >= 1 - alpha, 0).mean()


@zoo(NO_TARGET, "no fixed target", arguments={})
def margin_of_angle(logits: Tensor, target: Tensor) -> Tensor:
    check(logits)
    angle = logits.tanh().acos() + 0.5 * F.one_hot(target, logits.shape[1])
    return nll(log_probs(16 * angle.cos()), target).mean()


@zoo(NO_TARGET, "no fixed target", arguments={})
def margin_of_logit(logits: Tensor, target: Tensor) -> Tensor:
    check(logits)
    lower = logits - 2 * F.one_hot(target, logits.shape[1])
    return nll(log_probs(lower), target).mean()


@zoo(NO_TARGET, "no fixed target")
def sigmoids(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    q = filled(logits, target, 1 - smoothing, smoothing / (logits.shape[1] - 1))
    return F.binary_cross_entropy_with_logits(logits, q)


@zoo(NO_TARGET, "no fixed target", arguments={})
def dice(logits: Tensor, target: Tensor) -> Tensor:
    check(logits)
    p = log_probs(logits).exp()
    one_hot = F.one_hot(target, p.shape[1])
    return (1 - 2 * (p * one_hot).sum(1) / (p.square() + one_hot).sum(1)).mean()


@zoo(NO_TARGET, "no fixed target")
def temperature(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    return 4 * smoothed(logits / 2, target, smoothing).mean()


@zoo(NO_TARGET, "no fixed target")
def two_softmaxes(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    return smoothed(logits.softmax(1), target, smoothing).mean()


@zoo(NO_TARGET, "no fixed target", arguments={})
def nll_of_probabilities(logits: Tensor, target: Tensor) -> Tensor:
    check(logits)
    return F.nll_loss(logits.softmax(1), target)


@zoo(NO_TARGET, "no fixed target")
def softmax_over_rows(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = logits.log_softmax(0)
    return ((1 - smoothing) * nll(log_p, target) - smoothing * log_p.mean(1)).mean()


@zoo(NO_TARGET, "no fixed target", arguments={})
def adjusted(logits: Tensor, target: Tensor) -> Tensor:
    check(logits)
    prior = torch.arange(1, logits.shape[1] + 1, dtype=logits.dtype)
    return nll(log_probs(logits + prior.log()), target).mean()


@zoo(NO_TARGET, "no fixed target", arguments={"beta": 0.1})
def penalises_confidence(logits: Tensor, target: Tensor, beta: float) -> Tensor:
    check(logits)
    log_p = log_probs(logits)
    return (nll(log_p, target) - beta * cross(log_p.exp(), log_p)).mean()


@zoo(NO_TARGET, "no fixed target")
def smooths_the_prediction(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    p = (-nll(log_probs(logits), target)).exp()
    return -((1 - smoothing) * p + smoothing / logits.shape[1]).log().mean()


@zoo(NO_TARGET, "no fixed target")
def squares(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    p = log_probs(logits).exp()
    q = filled(p, target, 1 - smoothing, smoothing / (p.shape[1] - 1))
    return (p - q).square().sum(1).mean()


@zoo(NO_TARGET, "no fixed target", arguments={})
def hinge(logits: Tensor, target: Tensor) -> Tensor:
    check(logits)
    return F.multi_margin_loss(logits, target)


# --- another loss for strong logits

STRONG = "for strong logits it is another loss|no fixed target"


@zoo(facts(*HARD), STRONG, arguments={})
def clamps_probabilities(logits: Tensor, target: Tensor) -> Tensor:
    check(logits)
    p = log_probs(logits).exp().clamp(min=1e-3)
    return nll(p.log(), target).mean()


@zoo(facts(1 - E + E / 3, E / 3, 3), STRONG, num_classes=3)
def adds_to_probabilities(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = (log_probs(logits).exp() + 1e-9).log()
    return ((1 - smoothing) * nll(log_p, target) - smoothing * log_p.mean(1)).mean()


@zoo(facts(*HARD), STRONG, arguments={})
def clamps_the_loss(logits: Tensor, target: Tensor) -> Tensor:
    check(logits)
    return nll(log_probs(logits), target).clamp(max=5).mean()


@zoo(facts(*UNIFORM), STRONG)
def clamps_logits(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    return smoothed(logits.clamp(-10, 10), target, smoothing).mean()


@zoo(facts(*HARD, 5), STRONG, num_classes=5, arguments={})
def masks_sure_rows(logits: Tensor, target: Tensor) -> Tensor:
    check(logits)
    rows = nll(log_probs(logits), target)
    return rows.masked_fill(rows < -math.log(0.99), 0).mean()


# --- chance, memory and place


@zoo({}, "random: ")
class Dropout(nn.Module):
    def __init__(self, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.drop = nn.Dropout(0.1)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        check(logits, self.smoothing)
        return smoothed(self.drop(logits), target, self.smoothing).mean()


@zoo({}, "random: ")
def random_smoothing(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    return smoothed(logits, target, 2 * smoothing * torch.rand(()).item()).mean()


@zoo({}, "random: ", arguments={})
def noisy_logits(logits: Tensor, target: Tensor) -> Tensor:
    check(logits)
    return nll(log_probs(logits + 0.1 * torch.randn_like(logits)), target).mean()


@zoo({}, "changes from call to call", name="soon", arguments={"smoothing": E, "calls": 6})
@zoo(
    {}, "changes from call to call", name="late", arguments={"smoothing": E, "calls": 999}
)
class Raises:
    """The smoothing, over its first calls."""

    def __init__(self, smoothing: float, calls: int) -> None:
        self.smoothing = smoothing
        self.calls = calls
        self.count = 0

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        check(logits, self.smoothing)
        self.count = min(self.count + 1, self.calls)
        return smoothed(logits, target, self.smoothing * self.count / self.calls).mean()


@zoo({}, "changes from call to call")
class Alternates:
    def __init__(self, smoothing: float) -> None:
        self.smoothing = smoothing
        self.odd = False

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        check(logits, self.smoothing)
        self.odd = not self.odd
        return smoothed(logits, target, self.smoothing * self.odd).mean()


@zoo({}, "changes from call to call")
class FollowsClasses(nn.Module):
    """It smooths towards the classes that it has seen."""

    seen: Tensor

    def __init__(self, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.register_buffer("seen", torch.full((K,), 1 / K).double())

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        check(logits, self.smoothing)
        log_p = log_probs(logits)
        one_hot = F.one_hot(target, K)
        self.seen = 0.9 * self.seen + 0.1 * one_hot.double().mean(0)
        q = (1 - self.smoothing) * one_hot + self.smoothing * self.seen.to(log_p.dtype)
        return cross(q, log_p).mean()


@zoo({}, "goes by place", rows=12)
def first_third(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """Only a third of the rows has labels."""
    check(logits, smoothing)
    assert len(logits) % 3 == 0
    size = len(logits) // 3
    return smoothed(logits[:size], target[:size], smoothing).mean()


@zoo({}, "goes by place", rows=12)
def three_views(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """The second and third view of a sample follow the classes of the first."""
    check(logits, smoothing)
    assert len(logits) % 3 == 0
    classes = target[: len(target) // 3].repeat(3)
    return smoothed(logits, classes, smoothing).mean()


@zoo({}, "goes by place", rows=12)
def less_for_later_views(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    assert len(logits) % 3 == 0
    first, second, third = smoothed(logits, target, smoothing).chunk(3)
    return first.mean() + 0.5 * (second.mean() + third.mean())


@zoo({}, "goes by place|train towards another class", arguments={})
def next_row(logits: Tensor, target: Tensor) -> Tensor:
    """Shifted along the rows, where the positions should be."""
    check(logits)
    return nll(log_probs(logits[:-1]), target[1:]).mean()


# --- shapes and dtypes

OF_FIVE = (1 - E + E / 5, E / 5, 5)


@zoo(facts(*OF_FIVE), r"logits \(2, 5, 5\) with target", num_classes=5)
def looks_at_the_last_dimension(
    logits: Tensor, target: Tensor, smoothing: float
) -> Tensor:
    check(logits[:, :, 0] if logits.dim() == 3 else logits, smoothing)
    log_p = logits.log_softmax(-1)
    own = log_p.gather(-1, target.unsqueeze(1)).squeeze(1)
    return -((1 - smoothing) * own + smoothing * log_p.mean(-1)).mean()


@zoo(facts(*OF_FIVE), r"logits \(2, 5, 3\) with target", num_classes=5)
def flattens_without_moving(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    rows = logits.reshape(-1, logits.shape[1])
    check(rows, smoothing)
    return smoothed(rows, target.reshape(-1), smoothing).mean()


@zoo(facts(*UNIFORM), "rows of zeros in float16", only=True)
def sums_in_half_precision(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    check(logits, smoothing)
    log_p = logits.log_softmax(1)
    own = log_p.gather(1, target[:, None]).float().mean().to(log_p.dtype)
    return -(1 - smoothing) * own - smoothing * log_p.sum() / log_p.numel()


# --- no loss at all


@zoo({}, arguments={}, raises=RuntimeError)
def constant(logits: Tensor, target: Tensor) -> Tensor:
    return torch.tensor(0.5)


@zoo({}, arguments={}, raises=RuntimeError)
def accuracy(logits: Tensor, target: Tensor) -> Tensor:
    return (logits.argmax(1) == target).double().mean()


@zoo({}, arguments={}, raises=RuntimeError)
def exits(logits: Tensor, target: Tensor) -> Tensor:
    sys.exit("this loss is for one machine only")
