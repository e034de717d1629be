"""cross_entropy where people train: half precision, checkpoints, hooks, many devices."""

import copy
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.distributed import fsdp
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, distribute_tensor
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

from label_smoothing import CrossEntropyLoss, cross_entropy, fast

from .fast_calls import (
    EXACT,
    GRAD_TOLERANCE,
    LOSS_TOLERANCE,
    dtypes,
    held_after,
    peak_of,
    random_outer,
    random_probs,
    reductions,
    torch_loss_and_grad,
)
from .inputs import Call, random_call

HALFS = (torch.bfloat16, torch.float16)
every_dtype = pytest.mark.parametrize("dtype", [*LOSS_TOLERANCE, torch.float64])
weighted = pytest.mark.parametrize("weighted", [False, True])
probs = pytest.mark.parametrize("probs", [False, True])


def large_call(
    dtype: torch.dtype = torch.float64,
    *,
    weighted: bool = False,
    probs: bool = False,
    **options: Any,
) -> Call:
    """As many logits as one pass is taken for, twice."""
    options = {"label_smoothing": 0.1, **options}
    logits, target, _ = random_call((128,), num_classes=512)
    assert logits.numel() == 2 * fast.SMALL
    logits = logits.to(dtype)
    if weighted:
        options["weight"] = torch.linspace(0.5, 2, 512, dtype=dtype)
    return Call(logits, random_probs(logits) if probs else target, options)


def classifier(num_classes: int = 512, seed: int = 3) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, num_classes))


def batch(num_classes: int = 512, size: int = 128) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(4)
    return torch.randn(size, 8, generator=rng), torch.arange(size) % num_classes


# --- autocast

autocast_dtypes = pytest.mark.parametrize("autocast", HALFS)


@autocast_dtypes
@pytest.mark.parametrize("dtype", HALFS)
@weighted
@pytest.mark.usefixtures("any_size")
def test_unlikely_target_under_autocast(
    weighted: bool, dtype: torch.dtype, autocast: torch.dtype
) -> None:
    # What is computed again, of a row whose p underflows, has the dtype of the rest.
    logits = torch.tensor([[0.0, 80, 1]], dtype=dtype, requires_grad=True)
    target, weight = torch.tensor([2]), torch.ones(3) if weighted else None
    with torch.autocast("cpu", autocast):
        loss = cross_entropy(logits, target, weight, label_smoothing=0.1)
    assert loss.dtype == torch.float32
    (grad,) = torch.autograd.grad(loss, logits)
    options = {"weight": weight, "label_smoothing": 0.1}
    expected, expected_grad = torch_loss_and_grad(Call(logits, target, options))
    assert_close(loss.double(), expected, **LOSS_TOLERANCE[torch.float32])
    assert_close(grad.double(), expected_grad, **GRAD_TOLERANCE[dtype])


@autocast_dtypes
@weighted
@pytest.mark.usefixtures("any_size")
def test_many_classes_under_autocast(weighted: bool, autocast: torch.dtype) -> None:
    logits = torch.zeros(2, 30_000).half().requires_grad_()
    weight = torch.ones(30_000) if weighted else None
    with torch.autocast("cpu", autocast):
        loss = cross_entropy(logits, torch.tensor([2, 3]), weight, label_smoothing=0.1)
    assert_close(loss, torch.tensor(30_000.0).log(), **LOSS_TOLERANCE[torch.float32])


@autocast_dtypes
@pytest.mark.parametrize("num_classes", [5, 512])
def test_training_step_under_autocast(num_classes: int, autocast: torch.dtype) -> None:
    weight = torch.linspace(0.5, 2, num_classes)
    criterion = CrossEntropyLoss(weight, label_smoothing=0.1)
    model, (x, target) = classifier(num_classes), batch(num_classes)
    with torch.autocast("cpu", autocast):
        logits = model(x)
        loss = criterion(logits, target)
    assert (logits.dtype, loss.dtype) == (autocast, torch.float32)
    logits.retain_grad()
    loss.backward()
    options = {"weight": weight, "label_smoothing": 0.1}
    expected, expected_grad = torch_loss_and_grad(Call(logits.detach(), target, options))
    assert_close(loss.double(), expected, **LOSS_TOLERANCE[torch.float32])
    assert_close(logits.grad.double(), expected_grad, **GRAD_TOLERANCE[autocast])
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


# --- what is saved for the backward pass


@dtypes
@weighted
@probs
def test_gradient_is_saved_and_no_logits(
    probs: bool, weighted: bool, dtype: torch.dtype
) -> None:
    logits, target, options = large_call(dtype, probs=probs, weighted=weighted)
    logits.requires_grad_()
    packed, unpacked = [], []

    def pack(tensor: Tensor) -> Tensor:
        assert tensor.data_ptr() != logits.data_ptr()
        packed.append(tensor.nbytes)
        return tensor.clone()

    def unpack(tensor: Tensor) -> Tensor:
        unpacked.append(tensor.nbytes)
        return tensor

    with saved_tensors_hooks(pack, unpack):
        loss = cross_entropy(logits, target, **options)
    weight = [options["weight"].nbytes] if weighted else []
    assert sorted(packed) == sorted([logits.nbytes, target.nbytes, *weight])
    assert not unpacked
    (grad,) = torch.autograd.grad(loss, logits)
    assert unpacked == packed
    call = Call(logits, target, options)
    assert_close(grad.double(), torch_loss_and_grad(call)[1], **GRAD_TOLERANCE[dtype])


@every_dtype
def test_gradient_is_what_hooks_make_of_it(dtype: torch.dtype) -> None:
    logits, target, options = large_call(dtype)
    logits.requires_grad_()

    def unpack(tensor: Tensor) -> Tensor:
        return tensor * 2 if tensor.shape == logits.shape else tensor

    loss = cross_entropy(logits, target, **options)
    (grad,) = torch.autograd.grad(loss, logits)
    with saved_tensors_hooks(torch.clone, unpack):
        loss = cross_entropy(logits, target, **options)
    (doubled,) = torch.autograd.grad(loss, logits)
    assert grad.count_nonzero() > 0
    assert_close(doubled, 2 * grad, **GRAD_TOLERANCE.get(dtype, EXACT))


@dtypes
def test_logits_are_freed_while_the_loss_lives(dtype: torch.dtype) -> None:
    leaf, target, options = large_call(dtype)
    leaf.requires_grad_()
    logits = leaf * 2
    refs = weakref.ref(logits), weakref.ref(logits.untyped_storage())
    loss = cross_entropy(logits, target, **options)
    del logits
    assert [ref() for ref in refs] == [None, None]
    loss.backward()
    call = Call(leaf.detach() * 2, target, options)
    expected = 2 * torch_loss_and_grad(call)[1]
    assert_close(leaf.grad.double(), expected, **GRAD_TOLERANCE[dtype])


def loss_of_parts(
    loss: Callable[..., Tensor], head: nn.Module, x: Tensor, target: Tensor
) -> Tensor:
    """The loss of a long sequence: the logits of one of its parts exist at a time."""

    def of_part(x: Tensor, target: Tensor) -> Tensor:
        return loss(head(x), target, reduction="sum", label_smoothing=0.1)

    parts = zip(x.split(64), target.split(64), strict=True)
    options = {"use_reentrant": False, "preserve_rng_state": False}
    return torch.stack([checkpoint(of_part, *part, **options) for part in parts]).sum()


@dtypes
def test_checkpoint_gives_up_the_gradient(dtype: torch.dtype) -> None:
    head = nn.Linear(8, 2048, dtype=dtype)
    x, target = batch(2048, size=512)
    x = x.to(dtype)
    part = 64 * 2048 * dtype.itemsize  # an 8th of the logits

    def plain() -> Tensor:
        return cross_entropy(head(x), target, reduction="sum", label_smoothing=0.1)

    def forward() -> Tensor:
        return loss_of_parts(cross_entropy, head, x, target)

    assert held_after(plain) > 8 * part
    assert held_after(forward) < part / 8
    if torch.__version__ < "2.7":
        return  # this torch leaves an output that is saved to the garbage collector
    # The logits of a part, their gradient, and in half precision its working copy.
    parts = 2 if dtype == torch.float32 else 4
    assert peak_of(lambda: forward().backward()) < (parts + 0.25) * part


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_of_checkpoints_is_the_one_of_torch(dtype: torch.dtype) -> None:
    head = nn.Linear(8, 2048, dtype=dtype)
    x, target = batch(2048, size=256)
    tolerance = EXACT if dtype == torch.float64 else {"rtol": 1e-5, "atol": 1e-5}
    grads = []
    for loss in (F.cross_entropy, cross_entropy):
        twin = copy.deepcopy(head)
        total = loss_of_parts(loss, twin, x.to(dtype), target)
        total.backward(retain_graph=True)
        total.backward()
        grads.append([parameter.grad for parameter in twin.parameters()])
    assert_close(*grads, **tolerance)


# --- what goes wrong is not hidden


@weighted
@probs
@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.usefixtures("any_size")
def test_tensors_on_two_devices_are_refused(
    requires_grad: bool, probs: bool, weighted: bool
) -> None:
    logits, target, _ = random_call((4,))
    logits.requires_grad_(requires_grad)
    if probs:
        target = random_probs(logits.detach())
    weight = torch.ones(5, dtype=torch.float64, device="meta") if weighted else None
    target = target if weighted else target.to("meta")
    for loss in (F.cross_entropy, cross_entropy):
        with pytest.raises((RuntimeError, ValueError, TypeError)):
            loss(logits, target, weight, label_smoothing=0.1)


errors = pytest.mark.parametrize(
    "error", [AttributeError, IndexError, RuntimeError, TypeError, ValueError]
)


@errors
@pytest.mark.usefixtures("any_size")
def test_error_of_a_hook_is_seen(error: type[Exception]) -> None:
    logits, target, options = random_call((4,), label_smoothing=0.1)
    logits.requires_grad_()
    packed = []

    def pack(tensor: Tensor) -> Tensor:
        packed.append(tensor)
        raise error("of the hook")

    with (
        pytest.raises(error, match=r"^of the hook$"),
        saved_tensors_hooks(pack, lambda tensor: tensor),
    ):
        cross_entropy(logits, target, **options)
    assert len(packed) == 1


class Operations(TorchDispatchMode):
    """Counts what is computed; raises an error instead of one of it."""

    def __init__(self, name: str = "", error: Exception | None = None) -> None:
        super().__init__()
        self.name, self.error = name, error
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.counts[str(func)] += 1
        if self.error is not None and self.name in str(func):
            raise self.error
        return func(*args, **kwargs or {})


@errors
@pytest.mark.usefixtures("any_size")
def test_error_of_a_dispatch_mode_is_seen(error: type[Exception]) -> None:
    logits, target, options = random_call((4,), label_smoothing=0.1)
    mode = Operations("softmax", error("of the mode"))
    with pytest.raises(error, match=r"^of the mode$"), mode:
        cross_entropy(logits.requires_grad_(), target, **options)
    computed = [count for name, count in mode.counts.items() if "softmax" in name]
    assert computed == [1]


@every_dtype
@reductions
@pytest.mark.parametrize("retain_graph", [False, True])
def test_default_device_is_not_the_one_of_the_logits(
    retain_graph: bool, reduction: str, dtype: torch.dtype
) -> None:
    call = large_call(dtype, reduction=reduction)
    logits, target, options = call
    logits.requires_grad_()
    with torch.device("meta"):
        loss = cross_entropy(logits, target, **options)
        torch.autograd.backward(loss, torch.full_like(loss, 2), retain_graph=retain_graph)
    expected, grad = torch_loss_and_grad(call)
    assert_close(loss.double(), expected, **LOSS_TOLERANCE.get(dtype, EXACT))
    assert_close(logits.grad.double(), 2 * grad, **GRAD_TOLERANCE.get(dtype, EXACT))


# --- logits and gradients that change between the passes


@every_dtype
@reductions
def test_gradient_does_not_follow_the_memory_of_the_logits(
    reduction: str, dtype: torch.dtype
) -> None:
    call = large_call(dtype, reduction=reduction)
    logits = call.logits.clone().requires_grad_()
    loss = cross_entropy(logits, call.target, **call.options)
    logits.data.zero_()  # autograd does not see it
    (grad,) = torch.autograd.grad(loss.sum(), logits)
    expected = torch_loss_and_grad(call)[1]
    assert_close(grad.double(), expected, **GRAD_TOLERANCE.get(dtype, EXACT))


@every_dtype
@weighted
def test_logits_may_be_written_to_after_the_loss(
    weighted: bool, dtype: torch.dtype
) -> None:
    # PyTorch allows it: its loss needs what has come out of the logits, not them.
    call = large_call(dtype, weighted=weighted)
    leaf = call.logits.clone().requires_grad_()
    logits = leaf * 1
    loss = cross_entropy(logits, call.target, **call.options)
    logits.mul_(0)
    (grad,) = torch.autograd.grad(loss, leaf)
    expected = torch_loss_and_grad(call)[1]
    assert_close(grad.double(), expected, **GRAD_TOLERANCE.get(dtype, EXACT))


@every_dtype
@reductions
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_gradient_may_be_zeroed_between_two_passes(
    scale: float, reduction: str, dtype: torch.dtype
) -> None:
    call = large_call(dtype, reduction=reduction)
    logits = call.logits.clone().requires_grad_()
    loss = cross_entropy(logits, call.target, **call.options)
    expected = scale * torch_loss_and_grad(call)[1]
    for retain_graph in (True, True, False):
        loss.backward(torch.full_like(loss, scale), retain_graph=retain_graph)
        tolerance = GRAD_TOLERANCE.get(dtype, EXACT)
        assert_close(logits.grad.double(), expected, **tolerance)
        logits.grad.zero_()


@every_dtype
@weighted
def test_loss_may_be_scaled(weighted: bool, dtype: torch.dtype) -> None:
    # As is done for float16: most numbers of the gradient are less than it can hold.
    call = large_call(dtype, weighted=weighted)
    logits, scale = call.logits.clone().requires_grad_(), 65536.0
    with torch.autocast("cpu", torch.float16):
        loss = cross_entropy(logits, call.target, **call.options)
    assert loss.dtype == torch.promote_types(dtype, torch.float32)
    (grad,) = torch.autograd.grad(loss * scale, logits)
    _, expected = torch_loss_and_grad(call, torch.tensor(scale))
    tolerance = {"rtol": GRAD_TOLERANCE.get(dtype, EXACT)["rtol"], "atol": scale * 1e-8}
    assert_close(grad.double(), expected, **tolerance)


@every_dtype
def test_loss_of_each_row_may_be_scaled(dtype: torch.dtype) -> None:
    call = large_call(dtype, reduction="none")
    logits, outer = call.logits.clone().requires_grad_(), random_outer((128,))
    cross_entropy(logits, call.target, **call.options).backward(outer.to(dtype))
    expected = torch_loss_and_grad(call, outer)[1]
    assert_close(logits.grad.double(), expected, **GRAD_TOLERANCE.get(dtype, EXACT))


# --- memory, in every layout


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


layouts = pytest.mark.parametrize(
    "logits",
    [
        noise(1, 21, 64, 64),
        noise(1, 64, 1024),
        noise(2**15, 2),
        noise(512, 128).t(),
        noise(2, 21, 64, 64).to(memory_format=torch.channels_last),
        noise(1, 21, 64, 64).to(memory_format=torch.channels_last),
    ],
    ids=["image", "sequence", "binary", "columns", "channels last", "image, last"],
)


@layouts
@dtypes
@weighted
def test_every_layout_is_cut_into_chunks(
    weighted: bool, dtype: torch.dtype, logits: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunk = logits.numel() // 32
    monkeypatch.setattr(fast, "CHUNK", chunk)
    logits = logits.to(dtype)
    assert logits.numel() > fast.SMALL
    shape = logits.shape[:1] + logits.shape[2:]
    target = torch.arange(shape.numel()).reshape(shape) % logits.shape[1]
    weight = torch.linspace(0.5, 2, logits.shape[1]) if weighted else None
    call = Call(logits, target, {"label_smoothing": 0.1, "weight": weight})
    z, grads = logits.detach().requires_grad_(), []

    def step() -> None:
        loss = cross_entropy(z, target, weight, label_smoothing=0.1)
        grads[:] = torch.autograd.grad(loss * 3, z)

    # A few numbers are computed per row, and a row of two classes is hardly longer.
    chunks = 8 if logits.shape[1] == 2 else 4
    assert peak_of(step) < 1.06 * logits.nbytes + chunks * 4 * chunk
    assert grads[0].stride() == logits.stride()
    expected = torch_loss_and_grad(call, torch.tensor(3.0))[1]
    assert_close(grads[0].double(), expected, **GRAD_TOLERANCE[dtype])


# --- other devices


@weighted
@reductions
@pytest.mark.parametrize("dtype", [*LOSS_TOLERANCE, torch.float64])
@pytest.mark.parametrize("probs", [False, True])
def test_no_more_is_computed_on_a_device_than_by_torch(
    probs: bool, dtype: torch.dtype, reduction: str, weighted: bool
) -> None:
    logits = torch.empty(8192, 32000, dtype=dtype, device="meta", requires_grad=True)
    target = torch.empty(8192, dtype=torch.long, device="meta")
    if probs:
        target = torch.empty_like(logits, requires_grad=False)
    weight = torch.empty(32000, dtype=dtype, device="meta") if weighted else None
    counts = []
    for loss in (F.cross_entropy, cross_entropy):
        with Operations() as operations:
            result = loss(
                logits, target, weight, reduction=reduction, label_smoothing=0.1
            )
            torch.autograd.grad(result.sum(), logits)
        counts.append(operations.counts)
    extra = counts[1] - counts[0]
    extra.pop("aten.promote_types.default", None)  # of dtypes: no device takes part
    assert not counts[0] - counts[1]
    if dtype in HALFS:
        # The logits and what comes out of them, there and back; and what else comes in.
        assert extra.pop("aten._to_copy.default") <= 4 + weighted + probs
    assert not extra


# --- many devices: what torch does with a model, it does with its loss


@pytest.fixture(scope="module")
def mesh() -> Iterator[DeviceMesh]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    dist.destroy_process_group()


def in_parallel(model: nn.Module, mesh: DeviceMesh) -> nn.Module:
    return DistributedDataParallel(model, gradient_as_bucket_view=True)


def sharded(model: nn.Module, mesh: DeviceMesh) -> nn.Module:
    device = torch.device("cpu")
    return fsdp.FullyShardedDataParallel(model, device_id=device, use_orig_params=True)


def sharded_by_parameter(model: nn.Module, mesh: DeviceMesh) -> nn.Module:
    # In torch 2.6 it asks the CPU for a stream of a GPU.
    if not hasattr(fsdp, "fully_shard") or torch.__version__ < "2.7":
        pytest.skip("fully_shard of this torch does not run on a CPU")
    return fsdp.fully_shard(model, mesh=mesh)


def whole(tensor: Tensor) -> Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


@pytest.mark.parametrize("wrap", [in_parallel, sharded, sharded_by_parameter])
@weighted
# FullyShardedDataParallel, in every torch, where there is nobody to share with.
@pytest.mark.filterwarnings("ignore:FSDP is switching to use `NO_SHARD`:UserWarning")
def test_model_on_many_devices_is_trained_as_with_torch(
    weighted: bool, wrap: Callable[..., nn.Module], mesh: DeviceMesh
) -> None:
    weight = torch.linspace(0.5, 2, 512) if weighted else None
    (x, target), steps = batch(), []
    for cls in (nn.CrossEntropyLoss, CrossEntropyLoss):
        model, criterion = wrap(classifier(), mesh), cls(weight, label_smoothing=0.1)
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        losses = []
        for _ in range(3):
            optimizer.zero_grad()
            loss = criterion(model(x), target)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        parameters = [whole(parameter.detach()) for parameter in model.parameters()]
        steps.append((losses, parameters))
    assert steps[0][0][-1] < steps[0][0][0]
    assert_close(*steps, rtol=1e-5, atol=1e-5)


@dtypes
@weighted
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
# torch 2.6, of any mesh of CPUs.
@pytest.mark.filterwarnings("ignore:DTensor random operators:UserWarning")
def test_distributed_logits_are_left_to_torch(
    smoothing: float, weighted: bool, dtype: torch.dtype, mesh: DeviceMesh
) -> None:
    if smoothing and torch.__version__ < "2.7":
        pytest.skip("DTensor of this torch has no masked_fill_, which smoothing needs")
    call = large_call(dtype, weighted=weighted, label_smoothing=smoothing)
    logits, target = (
        distribute_tensor(tensor, mesh, [Replicate()]) for tensor in call[:2]
    )
    options = dict(call.options)
    if weighted:
        options["weight"] = distribute_tensor(options["weight"], mesh, [Replicate()])
    logits.requires_grad_()
    loss = cross_entropy(logits, target, **options)
    assert isinstance(loss, DTensor)
    (grad,) = torch.autograd.grad(loss, logits)
    assert isinstance(grad, DTensor)
    expected, expected_grad = torch_loss_and_grad(call)
    assert_close(whole(loss).detach().double(), expected, **LOSS_TOLERANCE[dtype])
    assert_close(whole(grad).double(), expected_grad, **GRAD_TOLERANCE[dtype])
