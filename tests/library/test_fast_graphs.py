"""cross_entropy in graphs: exported, traced, compiled, and transformed."""

import copy
import os
import shutil
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._dynamo import compiled_autograd
from torch._dynamo.testing import CompileCounterWithBackend
from torch.fx.experimental.proxy_tensor import make_fx
from torch.testing import assert_close

from label_smoothing import CrossEntropyLoss, cross_entropy, fast

from .fast_calls import EXACT, GRAD_TOLERANCE, dtypes, reductions
from .inputs import random_call

NUM_CLASSES = 512
SIZES = (4, 7, 128)  # of a batch: the logits of the last are enough for one pass
FLOAT32 = {"rtol": 2e-6, "atol": 1e-6}

weighted = pytest.mark.parametrize("weighted", [False, True])
sizes = pytest.mark.parametrize("size", SIZES)
# Deprecated since torch 2.13: a DeprecationWarning up to 2.14, a FutureWarning since.
deprecated = pytest.mark.filterwarnings("ignore:`torch.jit.:")


def test_sizes_are_on_both_sides() -> None:
    small, _, large = (size * NUM_CLASSES for size in SIZES)
    assert small < fast.SMALL < large


def class_weight(weighted: bool) -> Tensor | None:
    return torch.linspace(0.5, 2, NUM_CLASSES) if weighted else None


def logits_and_target(size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    logits, target, _ = random_call((size,), num_classes=NUM_CLASSES, seed=seed)
    return logits.float().requires_grad_(), target


class Classifier(nn.Module):
    """Logits and their loss in one module, as it is exported."""

    def __init__(self, weighted: bool) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.head = nn.Linear(8, NUM_CLASSES)
        self.criterion = CrossEntropyLoss(class_weight(weighted), label_smoothing=0.1)

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        return self.criterion(self.head(x), target)


def batch(size: int) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(size)
    return torch.randn(size, 8, generator=rng), torch.arange(size) % NUM_CLASSES


def assert_trains_as_with_torch(module: nn.Module, model: Classifier, size: int) -> None:
    """Compare the loss of a module, and its gradients, with those of PyTorch's loss."""
    x, target = batch(size)
    head, criterion = copy.deepcopy(model.head), model.criterion
    expected = F.cross_entropy(head(x), target, criterion.weight, label_smoothing=0.1)
    expected.backward()
    loss = module(x, target)
    module.zero_grad()
    loss.backward()
    assert_close(loss, expected, **FLOAT32)
    grads = {name: parameter.grad for name, parameter in module.named_parameters()}
    for name, parameter in head.named_parameters():
        assert_close(grads[f"head.{name}"], parameter.grad, **FLOAT32)


# --- exported and traced


@weighted
@pytest.mark.parametrize("strict", [False, True])
def test_exported_module_takes_any_batch(strict: bool, weighted: bool) -> None:
    model, dim = Classifier(weighted), torch.export.Dim("batch")
    exported = torch.export.export(
        model, batch(4), dynamic_shapes=({0: dim}, {0: dim}), strict=strict
    )
    for size in SIZES:
        assert_trains_as_with_torch(exported.module(), model, size)


@weighted
@sizes
def test_symbolically_traced_module(size: int, weighted: bool) -> None:
    model = Classifier(weighted)
    traced = torch.fx.symbolic_trace(model)
    assert [node.op for node in traced.graph.nodes].count("call_function") == 1
    assert_trains_as_with_torch(traced, model, size)


@deprecated
@weighted
@sizes
def test_script_is_the_one_of_torch(size: int, weighted: bool) -> None:
    weight, (logits, target) = class_weight(weighted), logits_and_target(size)
    script = torch.jit.script(CrossEntropyLoss(weight, label_smoothing=0.1))
    expected = F.cross_entropy(logits, target, weight, label_smoothing=0.1)
    loss = script(logits, target)
    assert_close(loss, expected, **FLOAT32)
    grads = [torch.autograd.grad(result, logits) for result in (loss, expected)]
    assert_close(*grads, **FLOAT32)


@deprecated
@weighted
@sizes
def test_trace_of_an_example_with_a_gradient(size: int, weighted: bool) -> None:
    weight = class_weight(weighted)
    criterion = CrossEntropyLoss(weight, label_smoothing=0.1)
    traced = torch.jit.trace(criterion, logits_and_target(size))
    for other in SIZES:
        logits, target = logits_and_target(other, seed=1)
        expected = F.cross_entropy(logits, target, weight, label_smoothing=0.1)
        loss = traced(logits, target)
        assert_close(loss, expected, **FLOAT32)
        grads = [torch.autograd.grad(result, logits) for result in (loss, expected)]
        assert_close(*grads, **FLOAT32)


@deprecated
@weighted
@sizes
def test_trace_depends_on_no_value(size: int, weighted: bool) -> None:
    # PyTorch warns of a trace that another input may not follow; not of its own loss.
    caught = []
    for cls in (nn.CrossEntropyLoss, CrossEntropyLoss):
        criterion = cls(class_weight(weighted), label_smoothing=0.1)
        with warnings.catch_warnings(record=True) as messages:
            warnings.simplefilter("always", torch.jit.TracerWarning)
            torch.jit.trace(criterion, logits_and_target(size))
        caught.append([str(message.message) for message in messages])
    assert caught[0] == caught[1]


@weighted
@sizes
@pytest.mark.parametrize("mode", ["real", "symbolic"])
def test_operations_of_the_loss_and_of_its_gradient(
    mode: str, size: int, weighted: bool
) -> None:
    weight = class_weight(weighted)

    def step(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        logits = logits.detach().requires_grad_()
        loss = cross_entropy(logits, target, weight, label_smoothing=0.1)
        return loss, torch.autograd.grad(loss, logits)[0]

    options = {"tracing_mode": mode, "_allow_non_fake_inputs": True}  # the weight
    graph = make_fx(step, **options)(*logits_and_target(size))
    other = size if mode == "real" else size + 100
    logits, target = logits_and_target(other, seed=1)
    expected = F.cross_entropy(logits, target, weight, label_smoothing=0.1)
    loss, grad = graph(logits, target)
    assert_close(loss, expected, **FLOAT32)
    assert_close(grad, torch.autograd.grad(expected, logits)[0], **FLOAT32)


# --- compiled


@pytest.mark.parametrize(("autocast", "weighted"), [(False, False), (True, True)])
def test_no_more_is_compiled_than_with_torch(autocast: bool, weighted: bool) -> None:
    counts = []
    for loss in (F.cross_entropy, cross_entropy):
        torch.compiler.reset()
        counter = CompileCounterWithBackend("aot_eager")

        def step(*call: Any, loss: Callable[..., Tensor] = loss) -> Tensor:
            return loss(*call, label_smoothing=0.1)

        compiled = torch.compile(step, backend=counter, fullgraph=True)
        for dtype in (torch.float32, torch.bfloat16):
            for size in (4, 6, 128):  # the second size makes a graph for any size
                logits, target = logits_and_target(size)
                logits = logits.detach().to(dtype).requires_grad_()
                weight = class_weight(weighted)
                weight = None if weight is None else weight.to(dtype)
                with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                    result = compiled(logits, target, weight)
                (grad,) = torch.autograd.grad(result, logits)
                assert grad.isfinite().all()
        counts.append(counter.frame_count)
    assert counts[1] <= counts[0]


has_compiler = shutil.which(os.environ.get("CXX", "g++")) is not None


# PyTorch's own: of torch 2.13 and later what is deprecated, and of torch 2.6 its cache.
@deprecated
@pytest.mark.filterwarnings("ignore:Skipping serialization of skipfiles:UserWarning")
@pytest.mark.skipif(not has_compiler, reason="inductor needs a C++ compiler")
def test_compiled_by_inductor() -> None:
    torch.compiler.reset()
    model = Classifier(weighted=False)
    # No process to compile in parallel, and no search for what the processor can do.
    options = {"compile_threads": 1, "cpp.simdlen": 1}
    compiled = torch.compile(model, fullgraph=True, options=options)
    x, target = batch(128)
    expected = F.cross_entropy(model.head(x), target, label_smoothing=0.1)
    parameters = list(model.parameters())
    expected_grads = torch.autograd.grad(expected, parameters)
    loss = compiled(x, target)
    assert_close(loss, expected, **FLOAT32)
    assert_close(torch.autograd.grad(loss, parameters), expected_grads, **FLOAT32)


@dtypes
@reductions
# PyTorch asks it of each tensor that is saved, and hides it, but not from an error.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_backward_pass_compiles_to_one_graph(reduction: str, dtype: torch.dtype) -> None:
    # The forward pass is not compiled, and takes one pass over the logits.
    torch.compiler.reset()
    logits, target = logits_and_target(128)
    outer = torch.linspace(-2, 2, 128) if reduction == "none" else torch.tensor(3.0)
    options = {"reduction": reduction, "label_smoothing": 0.1}
    logits = logits.detach().to(dtype)
    counter = CompileCounterWithBackend("aot_eager")
    compiler = torch.compile(backend=counter, fullgraph=True)
    z = logits.clone().requires_grad_()
    loss = cross_entropy(z, target, **options)
    with compiled_autograd._enable(compiler):
        loss.backward(outer.to(dtype))
    assert counter.frame_count == 1
    expected = logits.double().requires_grad_()
    F.cross_entropy(expected, target, **options).backward(outer.to(dtype).double())
    assert_close(z.grad.double(), expected.grad, **GRAD_TOLERANCE[dtype])


# --- transformed

Transform = Callable[[Callable[..., Tensor], Tensor, Tensor], Any]
func = torch.func

# Of a number that the loss is multiplied by: the loss itself is captured.
captured: dict[str, Transform] = {
    "grad": lambda loss, x, s: func.grad(lambda s: s * loss(x))(s),
    "grad_and_value": lambda loss, x, s: func.grad_and_value(lambda s: s * loss(x))(s),
    "vjp": lambda loss, x, s: func.vjp(lambda s: s * loss(x), s)[1](s),
    "vmap": lambda loss, x, s: func.vmap(lambda s: s * loss(x))(torch.stack([s, 2 * s])),
    "jvp": lambda loss, x, s: func.jvp(lambda s: s * loss(x), (s,), (s,)),
    "jacrev": lambda loss, x, s: func.jacrev(lambda s: s * loss(x))(s),
    "jacfwd": lambda loss, x, s: func.jacfwd(lambda s: s * loss(x))(s),
    "hessian": lambda loss, x, s: func.hessian(lambda s: s**2 * loss(x))(s),
}
direct: dict[str, Transform] = {
    "grad": lambda loss, x, s: func.grad(loss)(x),
    "vjp": lambda loss, x, s: func.vjp(loss, x)[1](s),
    "vmap": lambda loss, x, s: func.vmap(lambda s: loss(s * x))(torch.stack([s, 2 * s])),
    "jvp": lambda loss, x, s: func.jvp(loss, (x,), (x.sin(),)),
    "jacrev": lambda loss, x, s: func.jacrev(loss)(x),
    "vmap of grad": lambda loss, x, s: func.vmap(func.grad(lambda s: loss(s * x)))(
        torch.stack([s, 2 * s])
    ),
    "grad of grad": lambda loss, x, s: func.grad(
        lambda s: func.grad(loss)(s * x).square().sum()
    )(s),
}
# The first forward derivative of a process makes torch call it. It is a
# DeprecationWarning up to torch 2.14, a FutureWarning since.
jvp = pytest.mark.filterwarnings("ignore:`torch.jit.script")


def results_of(transform: Transform, size: int, requires_grad: bool) -> list[Any]:
    """What torch answers, and what we do; with the gradients of that."""
    logits, target, _ = random_call((size,), num_classes=NUM_CLASSES)
    results = []
    for loss in (F.cross_entropy, cross_entropy):
        x = logits.clone().requires_grad_(requires_grad)
        scale = torch.tensor(3.0, dtype=torch.float64)
        result = transform(lambda z, f=loss: f(z, target, label_smoothing=0.1), x, scale)
        leaves = torch.utils._pytree.tree_leaves(result)
        if requires_grad:
            total = sum(leaf.sin().sum() for leaf in leaves if leaf.requires_grad)
            leaves += torch.autograd.grad(total, x)
        results.append([leaf.detach() for leaf in leaves])
    return results


transforms = {f"captured {name}": of for name, of in captured.items()} | direct


@jvp
@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("transform", transforms.values(), ids=transforms)
@sizes
def test_transform_of_the_loss(
    size: int, transform: Transform, requires_grad: bool
) -> None:
    assert_close(*results_of(transform, size, requires_grad), **EXACT)


@jvp
@pytest.mark.parametrize("requires_grad", [False, True])
def test_second_derivatives_of_a_small_loss(requires_grad: bool) -> None:
    logits, target, _ = random_call((3,))
    logits.requires_grad_(requires_grad)
    hessians = [
        func.hessian(lambda z, f=loss: f(z, target, label_smoothing=0.1))(logits)
        for loss in (F.cross_entropy, cross_entropy)
    ]
    assert_close(*hessians, **EXACT)


@weighted
@sizes
def test_module_is_called_with_other_parameters(size: int, weighted: bool) -> None:
    model, (x, target) = Classifier(weighted).double(), batch(size)
    x, weight = x.double(), model.criterion.weight
    parameters = {
        name: parameter.detach() + 0.5 for name, parameter in model.named_parameters()
    }

    def ours(parameters: dict[str, Tensor], x: Tensor, target: Tensor) -> Tensor:
        return func.functional_call(model, parameters, (x, target))

    def torchs(parameters: dict[str, Tensor], x: Tensor, target: Tensor) -> Tensor:
        logits = F.linear(x, parameters["head.weight"], parameters["head.bias"])
        return F.cross_entropy(logits, target, weight, label_smoothing=0.1)

    def per_sample(loss: Callable[..., Tensor]) -> Any:
        def of_one(parameters: dict[str, Tensor], x: Tensor, target: Tensor) -> Tensor:
            return loss(parameters, x.unsqueeze(0), target.unsqueeze(0))

        return func.vmap(func.grad(of_one), (None, 0, 0))(parameters, x, target)

    arguments = parameters, x, target
    assert_close(ours(*arguments), torchs(*arguments), **EXACT)
    assert_close(func.grad(ours)(*arguments), func.grad(torchs)(*arguments), **EXACT)
    assert_close(per_sample(ours), per_sample(torchs), **EXACT)
