"""cross_entropy: on the samples with which PyTorch tests its own."""

import functools
import random
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.testing import assert_close

from label_smoothing import CrossEntropyLoss, cross_entropy

from .fast_calls import (
    EXACT,
    GRAD_TOLERANCE,
    LOSS_TOLERANCE,
    loss_and_grad,
    random_outer,
    torch_loss_and_grad,
)
from .inputs import Call

pytestmark = pytest.mark.usefixtures("long_way")

DOUBLE = torch.float64

every_dtype = pytest.mark.parametrize("dtype", [DOUBLE, *LOSS_TOLERANCE])
both = pytest.mark.parametrize("of_module", [False, True], ids=["function", "module"])


@pytest.fixture(autouse=True, params=["long_way", "as_shipped"])
def _size(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(request.param)


class Source(NamedTuple):
    """What PyTorch knows of its loss: how to draw calls, right ones and wrong ones."""

    of_function: Callable[..., Any]
    of_module: Callable[..., Any]
    wrong: Callable[..., Any] | None


@functools.cache
def source() -> Source:
    """Import it once it is used: that takes seconds, and changes flags of torch."""
    with warnings.catch_warnings():
        # These files try whatever is installed, and what warns while it is imported.
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
        from torch.testing._internal.common_modules import module_db

        (op,) = (op for op in op_db if op.name == "nn.functional.cross_entropy")
        (module,) = (info for info in module_db if info.module_cls is nn.CrossEntropyLoss)
    wrong = module.module_error_inputs_func
    return Source(
        op.sample_inputs,
        functools.partial(module.module_inputs_func, module),
        wrong and functools.partial(wrong, module),
    )


class Sample(NamedTuple):
    """A call, its name, and PyTorch's reference of what it gives, if there is one."""

    name: str
    call: Call
    reference: Callable[..., Tensor] | None


def samples(dtype: torch.dtype, of_module: bool) -> Iterator[Sample]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        random.seed(0)
        if of_module:
            found = source().of_module("cpu", dtype, requires_grad=False, training=True)
        else:
            found = list(source().of_function("cpu", dtype, requires_grad=False))
    assert len(found) >= (105 if of_module else 21)  # as many as in torch 2.6
    for sample in found:
        if of_module:
            call = Call(*sample.forward_input.args, sample.constructor_input.kwargs)
            yield Sample(sample.desc, call, sample.reference_fn)
        else:
            call = Call(sample.input, *sample.args, sample.kwargs)
            yield Sample(f"{tuple(sample.input.shape)}, {sample.kwargs}", call, None)


def made(call: Call, of_module: bool) -> tuple[Callable[..., Tensor], Call]:
    """Return our loss, and what is left to call it with."""
    logits, target, options = call
    if of_module:
        return CrossEntropyLoss(**options), Call(logits, target, {})
    return cross_entropy, call


def check(
    name: str, ours: Tensor, expected: Tensor, rtol: float, atol: float, terms: float = 1
) -> None:
    """Compare them; ``terms`` is how large the terms are that may cancel."""
    assert_close(
        ours.double(),
        expected.double(),
        rtol=rtol,
        atol=atol * max(1, terms),
        equal_nan=True,
        msg=lambda message: f"{name}: {message}",
    )


@both
@every_dtype
def test_samples_give_what_they_give_in_float64(
    dtype: torch.dtype, of_module: bool
) -> None:
    for name, call, _ in samples(dtype, of_module):
        theirs = F.cross_entropy(call.logits, call.target, **call.options)
        outer = random_outer(tuple(theirs.shape))
        expected, expected_grad = torch_loss_and_grad(call, outer)
        loss, grad = loss_and_grad(*made(call, of_module), outer)
        assert (loss.dtype, grad.dtype) == (theirs.dtype, dtype), name
        weight = call.options.get("weight")
        terms = 1.0 if weight is None else float(weight.abs().max())
        check(name, loss, expected, **LOSS_TOLERANCE.get(dtype, EXACT))
        terms *= float(outer.abs().max())
        tolerance = GRAD_TOLERANCE.get(dtype, EXACT)
        check(name, grad, expected_grad, **tolerance, terms=terms)


def test_samples_give_what_the_reference_gives() -> None:
    for name, call, reference in samples(DOUBLE, of_module=True):
        module = CrossEntropyLoss(**call.options)
        assert reference is not None
        expected = reference(module, call.logits, call.target)
        check(name, module(call.logits, call.target), expected, **EXACT)


@both
@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.filterwarnings("ignore:Please use `torch.vmap`:FutureWarning")  # torch 2.6's
# The first forward derivative of a process makes torch call it. It is a
# DeprecationWarning up to torch 2.14, a FutureWarning since.
@pytest.mark.filterwarnings("ignore:`torch.jit.script")
def test_derivatives_of_samples_are_those_of_the_loss(
    learned: bool, of_module: bool
) -> None:
    for name, call, _ in samples(DOUBLE, of_module):
        loss, (logits, target, options) = made(call, of_module)
        if learned and not target.is_floating_point():
            continue
        if loss(logits, target, **options).isnan().any():
            continue  # the mean of no loss
        logits.requires_grad_()
        target.requires_grad_(learned)
        run = functools.partial(loss, **options)
        common = {"fast_mode": of_module, "check_batched_grad": True}
        assert gradcheck(
            run,
            (logits, target),
            check_forward_ad=True,
            check_batched_forward_grad=True,
            **common,
        ), name
        assert gradgradcheck(run, (logits, target), check_fwd_over_rev=True, **common), (
            name
        )


@every_dtype
def test_wrong_samples_are_refused(dtype: torch.dtype) -> None:
    draw = source().wrong
    if draw is None:
        pytest.skip("torch 2.6 has none")
    found = draw("cpu", dtype, requires_grad=True, training=True)
    assert len(found) >= 7
    for sample in found:
        options = sample.module_error_input.constructor_input.kwargs
        inputs = sample.module_error_input.forward_input.args
        with pytest.raises(sample.error_type, match=sample.error_regex):
            nn.CrossEntropyLoss(**options)(*inputs)
        with pytest.raises((TypeError, ValueError)):
            cross_entropy(*inputs, **options)
        with pytest.raises((TypeError, ValueError)):
            CrossEntropyLoss(**options)(*inputs)
