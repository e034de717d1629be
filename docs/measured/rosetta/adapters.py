"""How the loss of each library is called as PyTorch's is: with logits and class indices.

A call is given what is at the path of a library, the ε to write there, logits and
indices. What else it is given (``weight``, ``reduction``) it hands on under the name that
the library has for it; a library that has none refuses it by itself.
"""

import logging
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Call = Callable[..., Any]


def class_dim(z: Tensor, y: Tensor) -> int:
    """Return the dimension of logits that the indices do not have."""
    shape = list(z.shape)
    dims = range(1, len(shape))
    return next(d for d in dims if shape[:d] + shape[d + 1 :] == list(y.shape))


def as_given(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits and indices."""
    return z, y


def log_p(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return log-probabilities and indices."""
    return z.log_softmax(class_dim(z, y)), y


def one_hot(z: Tensor, y: Tensor) -> Tensor:
    """Return the indices as probabilities, in the shape of the logits."""
    dim = class_dim(z, y)
    return F.one_hot(y, z.shape[dim]).movedim(-1, dim).to(z.dtype)


def sequences(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits (N, T, K): one sequence, if there is no more."""
    return (z, y) if z.dim() > 2 else (z[None], y[None])


def of_labels(smooth: Callable[[Tensor], Tensor], z: Tensor, y: Tensor) -> Tensor:
    """Take the cross entropy of what a function of labels (N, K) returns."""
    return -(smooth(one_hot(z, y)) * z.log_softmax(-1)).sum(-1).mean()


def binary(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return one logit and a label of 0 or 1, of logits (N, 2)."""
    return z[:, 1] - z[:, 0], y.to(z.dtype)


def elsewhere(value_and_grad: Call, z: Tensor, y: Tensor) -> Tensor:
    """Return what another framework computes: a loss, with the gradient of its sum."""
    value, grad = map(torch.tensor, value_and_grad(z.detach().numpy()))
    term = (z - z.detach()) * grad  # zero, with this gradient
    rows = term.sum(class_dim(z, y)) if value.numel() > 1 else term.sum()
    return value + rows.reshape(value.shape)


def tinygrad(f: Any, e: float, z: Tensor, y: Tensor, method: str, **o: Any) -> Any:
    """Call a method of a tensor."""

    def value_and_grad(z: Any) -> tuple[Any, Any]:
        logits = f(z)
        loss = getattr(logits, method)(f(y.numpy()), label_smoothing=e, **o)
        (grad,) = loss.sum().gradient(logits)
        return loss.numpy(), grad.numpy()

    return elsewhere(value_and_grad, z, y)


def tensorflow(f: Any, e: float, z: Tensor, y: Tensor, **o: Any) -> Any:
    """Call a function of probabilities."""
    import tensorflow as tf

    def value_and_grad(z: Any) -> tuple[Any, Any]:
        logits = tf.constant(z)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = f(q, logits, label_smoothing=e, **o)
        return value.numpy(), tape.gradient(value, logits).numpy()

    q = one_hot(z, y).numpy()
    return elsewhere(value_and_grad, z, y)


def paddlepaddle(f: Any, e: float, z: Tensor, y: Tensor, **o: Any) -> Any:
    """Call a function whose weights are a tensor of its own."""
    import paddle

    if "weight" in o:
        o["weight"] = paddle.to_tensor(o["weight"].numpy())

    def value_and_grad(z: Any) -> tuple[Any, Any]:
        logits = paddle.to_tensor(z, stop_gradient=False)
        value = f(logits, paddle.to_tensor(y.numpy()), label_smoothing=e, **o)
        value.sum().backward()
        return value.numpy(), logits.grad.numpy()

    return elsewhere(value_and_grad, z, y)


def mlx(f: Any, e: float, z: Tensor, y: Tensor, **o: Any) -> Any:
    """Call a function on the processor."""
    import mlx.core as mx

    mx.set_default_device(mx.cpu)

    def value_and_grad(z: Any) -> list[Any]:
        loss = partial(f, targets=mx.array(y.numpy()), label_smoothing=e, **o)
        grad = mx.grad(lambda z: loss(z).sum())(mx.array(z))
        return [
            torch.tensor(found.tolist()).numpy() for found in (loss(mx.array(z)), grad)
        ]

    return elsewhere(value_and_grad, z, y)


def megatron(f: Any, e: float, z: Tensor, y: Tensor, **o: Any) -> Any:
    """Call a function that asks how the classes are shared among processes."""
    import torch.distributed as dist
    from megatron.core import parallel_state

    if not dist.is_initialized():  # one process has them all
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)  # type: ignore
        parallel_state.initialize_model_parallel()
    return f(z.clone(), y, label_smoothing=e, **o)


def opennmt(f: Any, e: float, z: Tensor, y: Tensor, **o: Any) -> Any:
    """Call a loss that is made of the options of a whole training."""
    options = {
        "label_smoothing": e, "lambda_coverage": 0, "lambda_align": 0,
        "model_task": "seq2seq", "copy_attn": False, "generator_function": "softmax",
        "lm_prior_model": None, "lm_prior_lambda": 0, "lm_prior_tau": 1,
    }  # fmt: skip
    model, vocab = SimpleNamespace(generator=None), {"<blank>": 0, "<unk>": 1}
    return f.from_opts(SimpleNamespace(**options), model, vocab, **o).criterion(z, y)


def yolov5(f: Any, e: float, z: Tensor, y: Tensor, **o: Any) -> Any:
    """Call a function that returns what the two labels become."""
    one, zero = f(e, **o)
    logit, label = binary(z, y)
    labels = label * one + (1 - label) * zero
    return F.binary_cross_entropy_with_logits(logit, labels)


def torchtune(f: Any, e: float, z: Tensor, y: Tensor, **o: Any) -> Any:
    """Call a loss of two answers: with label 1 the first is preferred."""
    (logit, label), zero = binary(z, y), torch.zeros(())
    gap = logit * (2 * label - 1)
    return f(beta=1, label_smoothing=e, **o)(gap, zero, zero, zero)[0]


def direct(name: str = "label_smoothing", takes: Call = as_given, **fixed: Any) -> Call:
    """Call a function that takes ε under a name."""
    return lambda f, e, z, y, **o: f(*takes(z, y), **{name: e}, **fixed, **o)


def made(name: str = "label_smoothing", takes: Call = as_given, **fixed: Any) -> Call:
    """Make a loss of a class that takes ε under a name, and call it."""
    return lambda f, e, z, y, **o: f(**{name: e}, **fixed, **o)(*takes(z, y))


def first(call: Call) -> Call:
    """Take the loss of several things that are returned."""
    return lambda *arguments, **o: call(*arguments, **o)[0]


def weighted(call: Call) -> Call:
    """Hand on the weights under another name."""
    return lambda *arguments, weight=None, **o: call(*arguments, class_weight=weight, **o)


def sockeye(**fixed: str) -> Call:
    """Take no options: the ``weight`` is that of the whole loss."""
    call = made(takes=lambda z, y: ({"logits": z}, {"target_label": y}), **fixed)
    return lambda f, e, z, y: call(f, e, z, y)[0]


# What is at the path, ε, logits, indices, and the options.
CALLS: dict[str, Call] = {
    "PyTorch": direct(),
    "timm": made("smoothing"),
    "Transformers": made("epsilon", lambda z, y: ({"logits": z}, y)),
    "fastai": made("eps"),
    "Segmentation Models": made("smooth_factor"),
    "PyTorch Toolbelt": made("smooth_factor"),
    # Of the sum of two losses, the one that has the smoothing.
    "MONAI": made(takes=lambda z, y: (z, y[:, None]), lambda_dice=0, to_onehot_y=True),
    "MMPretrain": weighted(made("label_smooth_val")),
    "MMPretrain, classy_vision": weighted(made("label_smooth_val", mode="classy_vision")),
    "ClassyVision": made("smoothing_param"),
    "SuperGradients": first(made("smooth_eps")),
    "Torchreid": lambda f, e, z, y, **o: f(z.shape[1], e, use_gpu=False, **o)(z, y),
    "Keras": made(takes=lambda z, y: (one_hot(z, y), z), from_logits=True),
    "optax": lambda f, e, z, y, **o: of_labels(
        lambda q: torch.tensor(f(q.numpy(), e, **o).tolist()), z, y
    ),
    "tinygrad": partial(tinygrad, method="cross_entropy"),
    "tinygrad, sparse": partial(tinygrad, method="sparse_categorical_crossentropy"),
    "TensorFlow": tensorflow,
    "PaddlePaddle": paddlepaddle,
    "MLX": mlx,
    "Liger Kernel": made(takes=lambda z, y: (z.clone(), y)),
    "Unsloth Zoo": direct(),
    "SpeechBrain, nll_loss": direct(takes=log_p),
    "fairseq2": direct(pad_idx=None),
    "fairseq": first(direct("epsilon", log_p)),
    "ESPnet": lambda f, e, z, y, **o: f(z.shape[-1], -1, e, **o)(*sequences(z, y)),
    "NeMo": made(takes=lambda z, y: sequences(*log_p(z, y)), pad_id=-1),
    "PyKEEN": lambda f, e, z, y, **o: of_labels(
        lambda q: f(q, e, q.shape[-1], **o), z, y
    ),
    "Megatron Core": megatron,
    "AllenNLP": direct(
        takes=lambda z, y: (*(found := sequences(z, y)), torch.ones(found[1].shape))
    ),
    "Sockeye": sockeye(),
    "Sockeye, fairseq": sockeye(label_smoothing_impl="fairseq"),
    "JoeyNMT": lambda f, e, z, y, **o: f(pad_index=0, smoothing=e, **o)(
        log_p(z, y)[0], trg=y
    ),
    "labml.ai": lambda f, e, z, y, **o: f(z.shape[1], padding_idx=0, smoothing=e, **o)(
        *log_p(z, y)
    ),
    "OpenNMT-py": opennmt,
    "Keras, binary": made(
        takes=lambda z, y: [x[:, None] for x in reversed(binary(z, y))], from_logits=True
    ),
    "timm, binary": made("smoothing", binary, smooth_dense=True),
    "YOLOv5": yolov5,
    "Segmentation Models, binary": made("smooth_factor", binary),
    "PyTorch Toolbelt, binary": made("smooth_factor", binary),
    "MMPretrain, multi_label": made(  # two labels or more: the same twice
        "label_smooth_val",
        lambda z, y: [torch.stack((x, x), 1) for x in binary(z, y)],
        mode="multi_label",
        use_sigmoid=True,
    ),
    "torchtune, DPO": torchtune,
    "OpenNMT-py, until 3.0.2": lambda f, e, z, y, **o: f(
        e, z.shape[1], ignore_index=0, **o
    )(*log_p(z, y)),
}


# What the lists under ``stubs`` are replaced by.
decorator: Call = lambda *arguments, **options: lambda thing: thing  # noqa: E731
STAND_INS: dict[str, Any] = {
    "nothing": None, "object": object, "module": nn.Module, "str": str,
    "error": ValueError, "yes": lambda: True, "no": lambda *arguments: False,
    "decorator": decorator, "registry": SimpleNamespace(register_module=decorator),
    "get_logger": logging.getLogger,
    "logging": SimpleNamespace(get_logger=logging.getLogger),
    "without_gpu": SimpleNamespace(misc=SimpleNamespace(use_gpu=lambda options: False)),
}  # fmt: skip
