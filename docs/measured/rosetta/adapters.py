"""What the calls in ``libraries.toml`` are made of."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace  # noqa: F401 (a call names it, as it names F)
from typing import Any

import torch
import torch.nn.functional as F  # noqa: F401
from torch import Tensor

from label_smoothing.auditing.ways import Way
from measured.rosetta.losses import Library

Call = Callable[..., Any]


def way_of(
    library: Library, found: Any, num_classes: int, smoothing: float, **options: Any
) -> Way:
    """Return the loss of a library, given what is at its path, an ε and other options.

    An option that the library has no name for is refused by the library itself.
    """
    code = f"lambda e, z, y, {library.options}: {library.call}"
    loss = partial(eval(code, globals() | {"f": found}), smoothing, **options)
    return Way(loss, num_classes, library.probabilities, library.log_probs, torch.float64)


def sequences(z: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """Return logits (N, T, K) and what belongs to them: one sequence, if no more."""
    return (z, *others) if z.dim() > 2 else (z[None], *(other[None] for other in others))


def alone(f: Call) -> Call:
    """Return a function of Megatron, which asks how processes share the classes."""
    import torch.distributed as dist
    from megatron.core import parallel_state

    if not dist.is_initialized():  # one process has them all
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)  # type: ignore
        parallel_state.initialize_model_parallel()
    return f


def elsewhere(framework: Call, f: Call, z: Tensor, *others: Tensor) -> Tensor:
    """Return what another framework computes: a loss, with the gradient of its sum."""
    arrays = (tensor.detach().numpy() for tensor in (z, *others))
    value, gradient = map(torch.tensor, framework(f, *arrays))
    zero = ((z - z.detach()) * gradient).sum()  # with this gradient
    return value + zero / value.numel()


def tinygrad(f: Call, z: Any, *arrays: Any) -> tuple[Any, Any]:
    """Return a loss of tinygrad and the gradient of its sum."""
    from tinygrad import Tensor

    logits = Tensor(z)
    value = f(logits, *map(Tensor, arrays))
    return value.numpy(), value.sum().gradient(logits)[0].numpy()


def tensorflow(f: Call, z: Any, *arrays: Any) -> tuple[Any, Any]:
    """Return those of TensorFlow."""
    import tensorflow as tf

    logits = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = f(logits, *arrays)
    return value.numpy(), tape.gradient(value, logits).numpy()


def paddle(f: Call, z: Any, *arrays: Any) -> tuple[Any, Any]:
    """Return those of PaddlePaddle."""
    import paddle

    logits = paddle.to_tensor(z, stop_gradient=False)
    value = f(logits, *map(paddle.to_tensor, arrays))
    value.sum().backward()
    return value.numpy(), logits.grad.numpy()


def mlx(f: Call, z: Any, *arrays: Any) -> tuple[Any, Any]:
    """Return those of MLX."""
    import mlx.core as mx

    mx.set_default_device(mx.cpu)
    logits, *others = map(mx.array, (z, *arrays))
    gradient = mx.grad(lambda z: f(z, *others).sum())(logits)
    return f(logits, *others).tolist(), gradient.tolist()
