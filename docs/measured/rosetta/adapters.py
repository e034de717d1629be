"""What the Python in ``libraries.toml`` is made of: its calls, and its stand-ins."""

import logging  # noqa: F401 (libraries.toml has it, as it has nn and SimpleNamespace)
from collections.abc import Callable
from types import SimpleNamespace  # noqa: F401
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn  # noqa: F401

from measured.rosetta.losses import Library

Call = Callable[..., Any]


def call_of(library: Library, found: Any) -> Call:
    """Return what calls what is at the path of a library, with ε, logits and indices.

    An option that the library has no name for is refused by the library itself.
    """
    return python(f"lambda e, z, y, {library.options}: {library.call}", f=found)  # type: ignore[no-any-return]


def python(code: str, **names: Any) -> Any:
    """Return the value of Python from the list of libraries."""
    return eval(code, globals() | names)


def decorator(*arguments: Any, **options: Any) -> Any:
    """Leave what is decorated alone; a stand-in."""
    return lambda thing: thing


def class_dim(z: Tensor, y: Tensor) -> int:
    """Return the dimension of logits that the indices do not have."""
    shape = list(z.shape)
    dims = range(1, len(shape))
    return next(d for d in dims if shape[:d] + shape[d + 1 :] == list(y.shape))


def log_p(z: Tensor, y: Tensor) -> Tensor:
    """Return log-probabilities."""
    return z.log_softmax(class_dim(z, y))


def one_hot(z: Tensor, y: Tensor) -> Tensor:
    """Return the indices as probabilities, in the shape of the logits."""
    dim = class_dim(z, y)
    return F.one_hot(y, z.shape[dim]).movedim(-1, dim).to(z.dtype)


def sequences(z: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """Return logits (N, T, K) and what belongs to them: one sequence, if no more."""
    return (z, *others) if z.dim() > 2 else (z[None], *(other[None] for other in others))


def of_labels(smooth: Callable[[Tensor], Tensor], z: Tensor, y: Tensor) -> Tensor:
    """Take the cross entropy of what a function of labels (N, K) returns."""
    return -(smooth(one_hot(z, y)) * z.log_softmax(-1)).sum(-1).mean()


def alone(f: Call) -> Call:
    """Return a function of Megatron, which asks how processes share the classes."""
    import torch.distributed as dist
    from megatron.core import parallel_state

    if not dist.is_initialized():  # one process has them all
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)  # type: ignore
        parallel_state.initialize_model_parallel()
    return f


def elsewhere(framework: Call, f: Call, z: Tensor, y: Tensor, *others: Tensor) -> Tensor:
    """Return what another framework computes: a loss, with the gradient of its sum."""
    arrays = (tensor.detach().numpy() for tensor in (z, y, *others))
    value, grad = map(torch.tensor, framework(f, *arrays))
    term = (z - z.detach()) * grad  # zero, with this gradient
    rows = term.sum(class_dim(z, y)) if value.numel() > 1 else term.sum()
    return value + rows.reshape(value.shape)


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


def mlx(f: Call, z: Any, *arrays: Any) -> Any:
    """Return those of MLX."""
    import mlx.core as mx

    mx.set_default_device(mx.cpu)
    logits, *others = map(mx.array, (z, *arrays))
    grad = mx.grad(lambda z: f(z, *others).sum())(logits)
    return [torch.tensor(found.tolist()).numpy() for found in (f(logits, *others), grad)]
