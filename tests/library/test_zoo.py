"""The audit, held to what is known by hand of every loss in the zoo.

What is known is tested first, without the audit: against the gradient of each loss, and
against the least value that a minimiser finds.
"""

import dataclasses
import functools
import json
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from label_smoothing import Audit, audit
from label_smoothing.auditing.report import audit_as
from label_smoothing.auditing.signatures import Signature

from .zoo import (
    CASES,
    NO_TARGET,
    Case,
    DividesByAll,
    FollowsClasses,
    cross,
    facts,
    filled,
    in_float32,
    uniform_mean,
)

ROWS = 12

by_name = {case.name: case for case in CASES}
assert len(by_name) == len(CASES) >= 65


def those(condition: Callable[[Case], bool]) -> pytest.MarkDecorator:
    names = [case.name for case in CASES if condition(case)]
    return pytest.mark.parametrize("name", names)


def says(case: Case, pattern: str) -> bool:
    return any(re.search(pattern, words) for words in case.found)


# --- the facts, without the audit


def build(case: Case, **arguments: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss, as a function of logits of shape (N, K) and classes."""
    given = {**case.arguments, **arguments}
    whole = (
        case.loss(**given)
        if isinstance(case.loss, type)
        else functools.partial(case.loss, **given)
    )
    layout, returns, order = case.signature or ("NV", None, ("logits", "target"))
    if case.name == "target_first undeclared":
        order = ("target", "logits")

    def call(logits: Tensor, classes: Tensor) -> Tensor:
        takes = case.facts.get("takes", "logits, class indices")
        target = classes
        if takes.endswith("probabilities"):
            target = F.one_hot(classes, case.num_classes).to(logits.dtype)
        if takes.startswith("log-"):
            logits = logits.log_softmax(1)
        if layout != "NV" and logits.dim() == 2:
            logits = logits.reshape(2, -1, case.num_classes)
            target = target.reshape(2, -1)
            if layout == "NCHW":
                logits, target = logits.movedim(2, 1)[..., None], target[..., None]
        if case.name == "of_float32":
            logits = logits.float()
        inputs = {"logits": logits.clone(), "target": target.clone()}
        result: Any = whole(*(inputs[name] for name in order))
        loss: Tensor = result if returns is None else result[returns]
        return loss

    return call


def drawn(case: Case, size: float = 1) -> tuple[Tensor, Tensor]:
    """Logits, and classes of which none is ignored."""
    rng = torch.Generator().manual_seed(1)
    ignored = case.facts.get("ignored", ())
    kept = [k for k in range(case.num_classes) if k not in ignored]
    classes = torch.tensor([kept[(5 * n) % len(kept)] for n in range(ROWS)])
    shape = (ROWS, case.num_classes)
    return size * torch.randn(shape, generator=rng).double(), classes


def gradient(
    call: Callable[[Tensor, Tensor], Tensor], logits: Tensor, classes: Tensor
) -> Tensor:
    z = logits.clone().requires_grad_()
    (result,) = torch.autograd.grad(call(z, classes).sum(), z)
    return result


def counted(case: Case) -> float:
    """What a row counts by the facts, in nats."""
    reduction = case.facts.get("reduction", "mean")
    promised = {"mean": ROWS, "mean over rows and classes": ROWS * case.num_classes}
    base = {"bits": 2, "hartleys": 10}.get(case.facts.get("unit", "nats"), math.e)
    total: float = case.facts["target_sum"]
    return total / promised.get(reduction, 1) / math.log(base)


def gradient_by_hand(case: Case, logits: Tensor, classes: Tensor) -> Tensor:
    q = filled(logits, classes, 0, case.facts["other"])
    q[:, list(case.facts.get("padding", ()))] = 0
    q.scatter_(1, classes[:, None], case.facts["true"])
    return counted(case) * (logits.softmax(1) - q)


has_target = those(
    lambda case: (
        case.facts.get("target_sum") is not None and case.facts["true"] is not None
    )
)


@has_target
def test_target_and_sum_are_those_of_the_gradient(name: str) -> None:
    case = by_name[name]
    z, y = drawn(case, 0.7)
    expected = gradient_by_hand(case, z, y)
    torch.testing.assert_close(gradient(build(case), z, y), expected, rtol=0, atol=1e-8)


@has_target
def test_strong_logits_are_another_loss_where_that_is_said(name: str) -> None:
    case = by_name[name]
    z, y = drawn(case, 15)
    expected = gradient_by_hand(case, z, y)
    found = gradient(build(case), z, y)
    strong = says(case, "for strong logits")
    assert torch.allclose(found, expected, rtol=0, atol=1e-8) != strong


def least(case: Case) -> float:
    """The least value of a row, by minimising the loss itself."""
    call = build(case)
    z, y = drawn(case)
    sure = torch.zeros_like(z).scatter(1, y[:, None], 1)
    padded = torch.zeros_like(z)
    padded[:, list(case.facts.get("padding", ()))] = -40
    reached = []
    for start in (z, padded, 3 * sure - z + padded, 40 * sure):
        leaf = start.clone().requires_grad_()
        optimizer = torch.optim.LBFGS(
            [leaf],
            max_iter=300,
            tolerance_grad=1e-10,
            tolerance_change=1e-14,
            history_size=20,
            line_search_fn="strong_wolfe",
        )

        def step(
            leaf: Tensor = leaf, optimizer: torch.optim.Optimizer = optimizer
        ) -> Tensor:
            optimizer.zero_grad()
            loss = call(leaf, y).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimizer.step(step)  # type: ignore[no-untyped-call]
        value = call(leaf.detach(), y)
        summed = case.facts["reduction"] in ("none", "sum")
        reached.append(value.sum().item() / (ROWS if summed else 1))
    return min(reached)


@those(lambda case: case.facts.get("floor") is not None)
def test_floor_is_the_least_value(name: str) -> None:
    case = by_name[name]
    assert least(case) == pytest.approx(case.facts["floor"], abs=1e-6)


@those(lambda case: case.facts == NO_TARGET)
def test_no_target_fits(name: str) -> None:
    """In s (p - q), with any s and q for each row, some draws stay far away."""
    case = by_name[name]
    rng = torch.Generator().manual_seed(2)
    draws = 1.5 * torch.randn(6, ROWS, case.num_classes, generator=rng).double()
    y = drawn(case)[1]
    call = build(case)
    found = torch.stack([gradient(call, z, y) for z in draws])
    p = draws.softmax(2)
    worst = 0.0
    for n in range(ROWS):
        eye = torch.eye(case.num_classes).double().repeat(len(draws), 1)
        known = torch.cat([p[:, n].reshape(-1, 1), -eye], 1)
        wanted = found[:, n].reshape(-1, 1)
        fit = known @ torch.linalg.lstsq(known, wanted, driver="gelsd").solution
        worst = max(worst, ((wanted - fit).norm() / wanted.norm()).item())
    assert worst > 0.01


@those(lambda case: case.sound and case.facts["takes"].endswith("class indices"))
def test_sound_loss_refuses_what_is_no_class(name: str) -> None:
    case = by_name[name]
    z, y = drawn(case)
    for wrong in (-2, case.num_classes, case.num_classes + 300):
        y[3] = wrong
        with pytest.raises((IndexError, RuntimeError, ValueError)):
            build(case)(z, y)


@those(lambda case: case.sound and any("smoothing" in name for name in case.arguments))
def test_sound_loss_refuses_what_is_no_smoothing(name: str) -> None:
    case = by_name[name]
    z, y = drawn(case)
    (argument,) = (name for name in case.arguments if "smoothing" in name)
    for wrong in (-0.1, 1.1, math.nan, math.inf):
        # PyTorch allows a smoothing of one, and so does cross_entropy.
        with pytest.raises((ValueError, SystemExit, RuntimeError)):
            build(case, **{argument: wrong})(z, y)


@those(lambda case: case.sound and case.signature is None)
def test_sound_loss_refuses_images_or_takes_their_rows(name: str) -> None:
    case = by_name[name]
    rng = torch.Generator().manual_seed(3)
    z = torch.randn(2, case.num_classes, 3, generator=rng).double()
    y = torch.randint(1, case.num_classes, (2, 3), generator=rng)
    if "package" not in name:
        with pytest.raises((ValueError, TypeError, RuntimeError)):
            build(case)(z, y)
    else:
        rows = z.movedim(1, -1).reshape(-1, case.num_classes)
        torch.testing.assert_close(
            build(case)(z, y), build(case)(rows, y.flatten()), rtol=1e-12, atol=0
        )


@those(lambda case: case.sound)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sound_loss_sums_half_precision_in_full(name: str, dtype: torch.dtype) -> None:
    case = by_name[name]
    rows = 2 ** (17 if case.num_classes == 2 else 14)
    y = torch.full((rows,), 2 % case.num_classes)
    found = build(case)(torch.zeros(rows, case.num_classes, dtype=dtype), y)
    expected = build(case)(torch.zeros(rows, case.num_classes), y)
    assert found.isfinite().all()
    torch.testing.assert_close(found.float(), expected.float(), rtol=0.01, atol=1e-3)


@those(lambda case: bool(case.facts.get("ignored")) or says(case, "are not ignored"))
def test_rows_that_count_and_rows_that_do_not(name: str) -> None:
    case = by_name[name]
    z, y = drawn(case)
    ignored = set(case.facts.get("ignored", ()))
    wrong = re.findall(r"rows of class (-?\d+) are not", " ".join(case.found))
    for value in ignored | {int(value) for value in wrong}:
        rows = y.clone()
        rows[[2, 7]] = value
        counts = gradient(build(case), z, rows)[[2, 7]].abs().sum() > 0
        assert counts != (value in ignored)


@those(lambda case: says(case, "the mean divides by ignored rows too"))
def test_ignored_row_in_the_mean(name: str) -> None:
    case = by_name[name]
    z, y = drawn(case)
    y[2] = case.facts["ignored"][0]
    kept = torch.arange(ROWS) != 2
    call = build(case)
    assert ROWS * call(z, y).item() == pytest.approx(
        (ROWS - 1) * call(z[kept], y[kept]).item()
    )


@those(lambda case: says(case, "is (accepted|taken)"))
def test_smoothing_that_is_taken(name: str) -> None:
    case = by_name[name]
    z, y = drawn(case)
    for pattern in case.found:
        if words := re.search(r"smoothing=(\S+) .*(accepted|taken)", pattern):
            epsilon = float(words[1].replace("\\", ""))
            value, none = (build(case, smoothing=e)(z, y) for e in (epsilon, 0.0))
            assert torch.equal(value, none) == (words[2] == "taken")


@those(lambda case: says(case, "random: |from call to call|goes by place"))
def test_chance_memory_and_place(name: str) -> None:
    case = by_name[name]
    z, y = drawn(case)
    call = build(case)
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(5))
    torch.manual_seed(0)
    first, again = (gradient(call, z, y) for _ in range(2))
    moved = gradient(call, z[order], y[order])
    torch.manual_seed(0)
    seeded = gradient(call, z, y)
    assert torch.equal(first, again) == says(case, "goes by place")
    assert torch.equal(first, seeded) == (not says(case, "from call to call"))
    if says(case, "goes by place"):
        assert (moved - first[order]).abs().max() > 1e-3


# --- the audit


@functools.cache
def audited(name: str) -> Audit:
    case = by_name[name]
    if case.signature is None:
        return audit(case.loss, case.num_classes, case.rows, **case.arguments)
    signature = Signature(*case.signature)
    return audit_as(case.loss, signature, case.num_classes, case.rows, case.arguments)


works = those(lambda case: case.raises is None)


@works
def test_mistakes_are_found_and_no_others(name: str) -> None:
    case = by_name[name]
    suspicious = audited(name).suspicious
    missing = [
        pattern
        for pattern in case.found
        if not any(re.search(pattern, words) for words in suspicious)
    ]
    more = [
        words
        for words in suspicious
        if not any(re.search(pattern, words) for pattern in case.found)
    ]
    assert not missing, suspicious
    assert not (case.only and more)


def near(expected: object) -> object:
    number = isinstance(expected, int | float)
    return pytest.approx(expected, rel=1e-5, abs=1e-6) if number else expected


def reported(report: Audit, field: str) -> Any:
    """A field of the report; the target divided by its sum, as the facts have it."""
    value = getattr(report, field)
    if field in ("true", "other") and value is not None:
        value /= report.target_sum or 1
    return value


@works
def test_facts_are_found(name: str) -> None:
    case = by_name[name]
    report = audited(name)
    found = {field: reported(report, field) for field in case.facts}
    assert found == {field: near(value) for field, value in case.facts.items()}
    assert json.dumps(dataclasses.asdict(report))  # no field is a tensor


@those(lambda case: case.raises is not None)
def test_what_is_no_loss_is_refused(name: str) -> None:
    case = by_name[name]
    with pytest.raises(case.raises or RuntimeError):
        audited(name)


def test_nothing_is_printed_but_the_loss(capsys: pytest.CaptureFixture[str]) -> None:
    audit(by_name["uniform_mean"].loss, 10, smoothing=0.1)
    assert capsys.readouterr().out == ""


def test_chance_and_the_loss_are_left_as_they_were() -> None:
    before = torch.get_rng_state()
    audit(by_name["random_smoothing"].loss, 10, smoothing=0.1)
    audit(by_name["uniform_mean"].loss, 10, smoothing=0.1)
    assert torch.equal(torch.get_rng_state(), before)

    keeps = FollowsClasses(0.1)
    assert audit(keeps, 10).suspicious
    assert torch.equal(keeps.seen, torch.full((10,), 0.1).double())


def test_settings_of_the_caller_change_nothing() -> None:
    expected = str(audited("DividesByAll"))
    with torch.no_grad():
        assert str(audit(DividesByAll, 10, smoothing=0.1)) == expected
    torch.set_default_dtype(torch.float64)
    try:
        assert str(audit(DividesByAll, 10, smoothing=0.1)) == expected
    finally:
        torch.set_default_dtype(torch.float32)


@given(
    num_classes=st.integers(3, 12),
    total=st.floats(0.5, 1.5) | st.just(1.0) | st.sampled_from((0.998, 1.002)),
    own=st.floats(0.4, 1),
    split=st.floats(0, 1),
    reduction=st.sampled_from(("mean", "sum", "none")),
    single=st.booleans(),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_sum_of_the_target_is_found(
    num_classes: int, total: float, own: float, split: float, reduction: str, single: bool
) -> None:
    """A target c δ + d u + e, from which something may be missing, or be too much."""
    assume(abs(abs(total - 1) - 1e-3) > 2e-4)
    if total != 1:
        parts = total * num_classes
        assume(abs(parts - round(parts)) > 1e-3 * num_classes)
        assume(abs(total - 1 / math.log(2)) > 2e-3)
        assume(total > 1.1 / math.sqrt(num_classes))  # or a mean over classes is nearer
    c = own * total
    d, e = (total - c) * split, (total - c) * (1 - split) / num_classes

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        z = logits.float() if single else logits
        log_p = z.log_softmax(1)
        one_hot = F.one_hot(target, num_classes)
        rows = cross(c * one_hot + d / num_classes + e, log_p)
        return {"mean": rows.mean(), "sum": rows.sum(), "none": rows}[reduction]

    report = audit(loss, num_classes)
    assert report.target_sum == pytest.approx(total, abs=1e-3)
    assert any("the target sums to" in words for words in report.suspicious) == (
        abs(total - 1) > 1e-3
    )
    assert report.reduction == reduction
    expected = facts(c + d / num_classes + e, d / num_classes + e, num_classes)
    assert reported(report, "true") == pytest.approx(expected["true"], abs=1e-4)
    assert reported(report, "other") == pytest.approx(expected["other"], abs=1e-4)
    assert report.floor == pytest.approx(expected["floor"], abs=1e-4)


@pytest.mark.parametrize("loss", [uniform_mean, in_float32])
@pytest.mark.parametrize("num_classes", [1000, 50_000])
def test_many_classes(num_classes: int, loss: Callable[..., Tensor]) -> None:
    share = 0.1 / num_classes
    expected = facts(0.9 + share, share, num_classes)
    report = audit(loss, num_classes, smoothing=0.1)
    assert report.suspicious == ()
    assert report.reduction == "mean"
    assert report.target_sum == pytest.approx(1, abs=1e-6)
    # Of many classes float32 has fewer digits: those of the sum in the softmax.
    error = 1e-6 if loss is uniform_mean else 1e-4
    assert reported(report, "true") == pytest.approx(expected["true"], abs=error)
    assert reported(report, "other") == pytest.approx(share, rel=1e-2)
    assert report.floor == pytest.approx(expected["floor"], abs=1e-4)
