"""cross_entropy: derivatives of every kind, transforms, and graphs."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad
from torch.testing import assert_close

from label_smoothing import CrossEntropyLoss, cross_entropy, fast

from .fast_calls import (
    EXACT,
    GRAD_TOLERANCE,
    LOSS_TOLERANCE,
    SMALL,
    dtypes,
    loss_and_grad,
    random_probs,
    reductions,
    smoothings,
    torch_loss_and_grad,
)
from .inputs import Call, random_call

pytestmark = pytest.mark.usefixtures("long_way")


# --- derivatives, again and again


@reductions
@smoothings
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("probs", [False, True])
@pytest.mark.parametrize("shape", [(), (5,), (2, 2)])
@pytest.mark.filterwarnings("ignore:Please use `torch.vmap`:FutureWarning")  # torch 2.6's
def test_gradients_are_those_of_the_loss(
    shape: tuple[int, ...], probs: bool, weighted: bool, smoothing: float, reduction: str
) -> None:
    options = {"reduction": reduction, "label_smoothing": smoothing}
    logits, target, _ = random_call(shape, num_classes=3)
    if probs:
        target = random_probs(logits)
    if weighted:
        options["weight"] = torch.tensor([1.0, 0.5, 2.0])
    logits.requires_grad_()

    def loss(z: Tensor) -> Tensor:
        return cross_entropy(z, target, **options)

    assert torch.autograd.gradcheck(loss, (logits,), check_batched_grad=True)
    assert torch.autograd.gradgradcheck(loss, (logits,))


@pytest.mark.parametrize("probs", [False, True])
def test_gradient_is_probability_minus_smoothed_target(probs: bool) -> None:
    logits, target, _ = random_call((4,))
    target[-1] = 2
    q = random_probs(logits) if probs else F.one_hot(target, 5).double()
    call = Call(logits, q if probs else target, {"label_smoothing": 0.3})
    _, grad = loss_and_grad(cross_entropy, call)
    assert_close(grad, (logits.softmax(1) - 0.7 * q - 0.3 / 5) / 4, **EXACT)


def test_ignored_row_has_no_gradient() -> None:
    _, grad = loss_and_grad(cross_entropy, random_call((4,), label_smoothing=0.3))
    assert grad.count_nonzero(dim=1).tolist() == [5, 5, 5, 0]


@reductions
def test_second_derivative_is_the_one_of_torch(reduction: str) -> None:
    logits, target, options = random_call((5,), reduction=reduction, label_smoothing=0.1)
    seconds = []
    for loss in (cross_entropy, F.cross_entropy):
        z = logits.clone().requires_grad_()
        result = loss(z, target, **options).sum()
        (grad,) = torch.autograd.grad(result, z, create_graph=True)
        (second,) = torch.autograd.grad(grad.pow(3).sum(), z)
        seconds.append(second)
    assert_close(*seconds, **EXACT)


@dtypes
def test_second_derivative_of_a_loss_under_autocast(dtype: torch.dtype) -> None:
    call = random_call((5,), label_smoothing=0.1)
    seconds = []
    for loss in (cross_entropy, F.cross_entropy):
        z = call.logits.to(dtype).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            result = loss(z, call.target, **call.options)
        (grad,) = torch.autograd.grad(result, z, create_graph=True)
        (second,) = torch.autograd.grad(grad.float().pow(2).sum(), z)
        seconds.append(second.float())
    # It is computed from the gradient, which is in the dtype of the logits.
    eps = torch.finfo(dtype).eps
    scale = float(seconds[1].abs().max())
    assert_close(*seconds, rtol=0, atol=max(8 * eps, 5e-6) * scale)


@reductions
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_second_backward_adds_the_same_again(dtype: torch.dtype, reduction: str) -> None:
    logits, target, options = random_call((5,), reduction=reduction, label_smoothing=0.1)
    z = logits.to(dtype).requires_grad_()
    loss = cross_entropy(z, target, **options).sum()
    loss.backward(retain_graph=True)
    assert z.grad is not None
    once = z.grad.clone()
    loss.backward(retain_graph=True)
    assert_close(z.grad, 2 * once)
    loss.backward()
    assert_close(z.grad, 3 * once)


@pytest.mark.parametrize("first", [3.0, 2.0])
@reductions
def test_each_backward_has_its_own_scale(reduction: str, first: float) -> None:
    call = random_call((5,), reduction=reduction, label_smoothing=0.1)
    logits, target, options = call
    z = logits.clone().requires_grad_()
    loss = cross_entropy(z, target, **options)
    _, plain = torch_loss_and_grad(call)
    kept = []
    for scale in (first, 1.0, 0.5, 0.0, -2.0):
        outer = torch.full_like(loss, scale)
        (grad,) = torch.autograd.grad(loss, z, outer, retain_graph=True)
        kept.append((grad, scale))
    for grad, scale in kept:  # none was overwritten by the next
        assert_close(grad, scale * plain, **EXACT)


@reductions
def test_gradient_after_a_graph_of_the_gradient(reduction: str) -> None:
    call = random_call((5,), reduction=reduction, label_smoothing=0.1)
    z = call.logits.clone().requires_grad_()
    loss = cross_entropy(z, call.target, **call.options).sum()
    (first,) = torch.autograd.grad(loss, z, create_graph=True)
    assert first.requires_grad
    (second,) = torch.autograd.grad(loss, z)
    assert not second.requires_grad
    assert_close(first, second, **EXACT)
    assert_close(second, torch_loss_and_grad(call)[1], **EXACT)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_second_backward_needs_the_graph(dtype: torch.dtype) -> None:
    logits, target, _ = random_call((5,))
    loss = cross_entropy(logits.to(dtype).requires_grad_(), target)
    loss.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        loss.backward()


@reductions
@pytest.mark.parametrize("probs", [False, True])
def test_batched_gradients_are_those_of_each_row(probs: bool, reduction: str) -> None:
    logits, target, options = random_call((4,), reduction=reduction, label_smoothing=0.1)
    if probs:
        target = random_probs(logits)
    z = logits.clone().requires_grad_()
    loss = cross_entropy(z, target, **options)
    rng = torch.Generator().manual_seed(5)
    outers = torch.randn(3, *loss.shape, generator=rng, dtype=torch.float64)
    (batch,) = torch.autograd.grad(
        loss, z, outers, is_grads_batched=True, retain_graph=True
    )
    for outer, grad in zip(outers, batch, strict=True):
        (expected,) = torch.autograd.grad(loss, z, outer, retain_graph=True)
        assert_close(grad, expected, **EXACT)


def test_jacobian_is_the_one_of_torch() -> None:
    logits, target, options = random_call((4,), reduction="none", label_smoothing=0.1)
    jacobians = [
        torch.autograd.functional.jacobian(
            lambda z, loss=loss: loss(z, target, **options), logits, vectorize=vectorize
        )
        for loss in (cross_entropy, F.cross_entropy)
        for vectorize in (False, True)
    ]
    for jacobian in jacobians[:-1]:
        assert_close(jacobian, jacobians[-1], **EXACT)


@smoothings
@pytest.mark.parametrize("weighted", [False, True])
def test_probabilities_and_their_weight_have_gradients_as_in_torch(
    weighted: bool, smoothing: float
) -> None:
    logits, _, _ = random_call((4,))
    leaves = [logits, random_probs(logits)]
    if weighted:
        leaves.append(torch.ones(5, dtype=torch.float64))
    grads = []
    for loss in (cross_entropy, F.cross_entropy):
        inputs = [leaf.clone().requires_grad_() for leaf in leaves]
        result = loss(*inputs, label_smoothing=smoothing)
        grads.append(torch.autograd.grad(result, inputs))
    assert_close(*grads, **EXACT)


# --- transforms

# The first forward derivative of a process makes torch call it. It is a
# DeprecationWarning up to torch 2.14, a FutureWarning since.
jvp = pytest.mark.filterwarnings("ignore:`torch.jit.script")


@jvp
@reductions
@smoothings
@pytest.mark.parametrize("probs", [False, True])
def test_functional_gradient_is_the_one_of_torch(
    probs: bool, smoothing: float, reduction: str
) -> None:
    call = random_call((4,), reduction=reduction, label_smoothing=smoothing)
    if probs:
        call = call._replace(target=random_probs(call.logits))

    def loss(z: Tensor) -> Tensor:
        return cross_entropy(z, call.target, **call.options).sum()

    expected, expected_grad = torch_loss_and_grad(call)
    grad, value = torch.func.grad_and_value(loss)(call.logits)
    assert_close(value, expected.sum(), **EXACT)
    assert_close(grad, expected_grad, **EXACT)
    hessian = torch.autograd.functional.hessian(loss, call.logits)
    assert_close(torch.func.hessian(loss)(call.logits), hessian, **EXACT)


@reductions
def test_vmap_gives_one_loss_per_sample(reduction: str) -> None:
    def loss(z: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(z, y, reduction=reduction, label_smoothing=0.1)

    logits, target, _ = random_call((2, 3))
    samples = zip(logits.mT, target, strict=True)
    expected = torch.stack([loss(*sample) for sample in samples])
    assert_close(torch.func.vmap(loss)(logits.mT, target), expected, **EXACT)
    expected = torch.stack([loss(sample, target[0]) for sample in logits.mT])
    same_target = torch.func.vmap(loss, (0, None))(logits.mT, target[0])
    assert_close(same_target, expected, **EXACT)


@pytest.mark.parametrize("probs", [False, True])
def test_gradients_per_sample(probs: bool) -> None:
    logits, target, _ = random_call((4,))
    target[-1] = 2
    if probs:
        target = random_probs(logits)

    def loss(z: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(z, y, label_smoothing=0.1)

    grads = torch.func.vmap(torch.func.grad(loss))(logits, target)
    call = Call(logits, target, {"label_smoothing": 0.1, "reduction": "sum"})
    assert_close(grads, torch_loss_and_grad(call)[1], **EXACT)


@jvp
@reductions
@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.usefixtures("any_size")
def test_forward_derivative_is_the_one_of_torch(
    requires_grad: bool, reduction: str
) -> None:
    logits, target, options = random_call((4,), reduction=reduction, label_smoothing=0.1)
    tangent = torch.randn(logits.shape, dtype=logits.dtype)
    logits.requires_grad_(requires_grad)

    def loss(z: Tensor) -> Tensor:
        return cross_entropy(z, target, **options)

    value, derivative = torch.func.jvp(loss, (logits,), (tangent,))
    expected, expected_derivative = torch.func.jvp(
        lambda z: F.cross_entropy(z, target, **options), (logits,), (tangent,)
    )
    assert_close(value, expected, **EXACT)
    assert_close(derivative, expected_derivative, **EXACT)
    with forward_ad.dual_level():
        dual = forward_ad.unpack_dual(loss(forward_ad.make_dual(logits, tangent)))
        assert_close(dual.primal, expected, **EXACT)
        assert_close(dual.tangent, expected_derivative, **EXACT)


@pytest.mark.parametrize(
    ("small", "weighted", "probs"),
    [(0, False, False), (0, True, False), (0, False, True), (SMALL, True, False)],
)
def test_training_step_compiles_to_one_graph(
    small: int, weighted: bool, probs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast, "SMALL", small)
    torch.compiler.reset()
    torch.manual_seed(0)
    weight = torch.tensor([1.0, 0.5, 2.0, 1.0, 1.0]) if weighted else None
    criterion = CrossEntropyLoss(weight, label_smoothing=0.1)
    model = nn.Linear(3, 5)
    twin = copy.deepcopy(model)

    def loss(x: Tensor, target: Tensor) -> Tensor:
        return criterion(model(x), target)

    # aot_eager traces forward and backward as inductor does, and needs no C++ compiler.
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    for n in (4, 6, 7):  # the second size makes a graph for any size
        x = torch.randn(n, 3)
        target = torch.arange(n) % 5
        target[0] = -100
        if probs:
            target = random_probs(torch.zeros(n, 5))
        step, expected = compiled(x, target), criterion(twin(x), target)
        step.backward()
        expected.backward()
        assert_close(step, expected)
        for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
            assert_close(ours.grad, theirs.grad)


def test_no_value_is_read_where_there_is_none() -> None:
    with FakeTensorMode():
        for options in ({}, {"weight": torch.ones(3)}):
            logits = torch.zeros(2, 3, requires_grad=True)
            target = torch.zeros(2, dtype=torch.long)
            loss = cross_entropy(logits, target, reduction="none", **options)
            assert loss.shape == (2,)
            loss.sum().backward()
            assert logits.grad is not None
            assert logits.grad.shape == (2, 3)


@smoothings
@reductions
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("weighted", [False, True])
def test_no_value_is_read_on_a_device(
    weighted: bool, dtype: torch.dtype, reduction: str, smoothing: float
) -> None:
    # A meta tensor has no values, so a check that reads one would raise.
    weight = torch.ones(3, device="meta") if weighted else None
    for target in (
        torch.zeros(2, dtype=torch.long, device="meta"),
        torch.zeros(2, 3, dtype=dtype, device="meta"),
    ):
        logits = torch.zeros(2, 3, dtype=dtype, device="meta", requires_grad=True)
        loss = cross_entropy(
            logits, target, weight, reduction=reduction, label_smoothing=smoothing
        )
        assert loss.device.type == "meta"
        assert loss.shape == ((2,) if reduction == "none" else ())
        loss.sum().backward()
        assert logits.grad is not None
        assert logits.grad.device.type == "meta"
        assert logits.grad.shape == (2, 3)


@smoothings
@reductions
@pytest.mark.parametrize("probs", [False, True])
@pytest.mark.parametrize("dtype", [*LOSS_TOLERANCE, torch.float64])
def test_autocast_gives_what_it_gives_in_torch(
    dtype: torch.dtype, probs: bool, reduction: str, smoothing: float
) -> None:
    call = random_call((5,), reduction=reduction, label_smoothing=smoothing)
    logits = call.logits.to(dtype)
    target = random_probs(logits) if probs else call.target
    results = []
    for loss in (cross_entropy, F.cross_entropy):
        z = logits.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            result = loss(z, target, **call.options)
        results.append((result, *torch.autograd.grad(result.sum(), z)))
    tolerance = GRAD_TOLERANCE.get(dtype, EXACT)
    (ours, our_grad), (theirs, their_grad) = results
    assert ours.dtype == torch.promote_types(dtype, torch.float32)
    assert_close(ours, theirs)  # the dtype too
    assert_close(our_grad, their_grad, **tolerance)
