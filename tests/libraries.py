"""The libraries that ``nox -s rosetta`` runs: where the loss of each is, and how to call it.

An entry is a function that takes what stands at the path and the ε to write there, and
returns a loss as PyTorch's is called: ``loss(logits, target)``, with class indices. What
else it is given (``weight``, ``reduction``) it hands on under the name that the library
has for it; a library that has none refuses it by itself.
"""

import types
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn


class Library(NamedTuple):
    """What to download, what to import, and how to call it."""

    name: str
    package: str  # as pip asks for it, with its version; or nothing: it is there
    path: str
    make: Callable[..., Callable[..., Any]]
    needs: tuple[str, ...] = ()  # to download beside it
    alone: bool = False  # without the __init__ of its packages, which need the world
    stubs: dict[str, dict[str, Any]] = {}  # modules that stand in for absent ones
    env: dict[str, str] = {}
    takes: str = "classes"  # or "probabilities"
    gives: str = "loss"  # or "labels"
    two_classes: bool = False
    from_k: int = 2  # the least K it can do


LIBRARIES: dict[str, Library] = {}


def library(name, package, path, **options):
    def add(make):
        LIBRARIES[name] = Library(name, package, path, make, **options)
        return make

    return add


# How a loss is called.


def class_dim(logits, target):
    """Return the dimension of logits that target has not."""
    shape = list(logits.shape)
    dims = range(1, len(shape))
    return next(d for d in dims if shape[:d] + shape[d + 1 :] == list(target.shape))


def on_log_probs(loss):
    return lambda z, y: loss(z.log_softmax(class_dim(z, y)), y)


def on_one_hot(loss):
    def call(z, y):
        dim = class_dim(z, y)
        return loss(z, F.one_hot(y, z.shape[dim]).movedim(-1, dim).to(z.dtype))

    return call


def on_sequences(loss):
    """Call a loss of logits (N, T, K) with one sequence, if there is no more."""
    return lambda z, y: loss(z, y) if z.dim() > 2 else loss(z[None], y[None])


def of_labels(smooth_labels):
    """Take the cross entropy of what a function of labels (N, K) returns."""

    def loss(z, labels):
        return -(smooth_labels(labels) * z.log_softmax(-1)).sum(-1).mean()

    return on_one_hot(loss)


def on_two_classes(loss):
    """Call a loss of one logit and a label of 0 or 1 with logits (N, 2)."""
    return lambda z, y: loss(z[:, 1] - z[:, 0], y.to(z.dtype))


class Elsewhere(torch.autograd.Function):
    """A loss that another framework computes, with its gradient."""

    @staticmethod
    def forward(ctx, z, value_and_grad):
        value, grad = value_and_grad(z.detach().numpy())
        ctx.save_for_backward(torch.tensor(grad))
        return torch.tensor(value)

    @staticmethod
    def backward(ctx, grad_output):
        (grad,) = ctx.saved_tensors
        return grad_output * grad, None


def elsewhere(value_and_grad):
    return lambda z, y: Elsewhere.apply(z, partial(value_and_grad, y.numpy()))


def decorator(*arguments, **options):
    """Stand in for a decorator that registers what it is given."""
    return lambda thing: thing


# The libraries.


@library("PyTorch", "", "torch.nn.functional.cross_entropy")
def pytorch(loss, smoothing, **options):
    return partial(loss, label_smoothing=smoothing, **options)


@library(
    "timm",
    "timm==1.0.31",
    "timm.loss.cross_entropy.LabelSmoothingCrossEntropy",
    alone=True,
)
def timm(loss, smoothing, **options):
    return loss(smoothing, **options)


@library(
    "Transformers",
    "transformers==5.24.0",
    "transformers.trainer_pt_utils.LabelSmoother",
    needs=(
        "huggingface_hub==1.33.0",
        "safetensors==0.9.0",
        "regex==2026.11.15",
        "tokenizers==0.23.2",
    ),
)
def transformers(loss, smoothing, **options):
    smoother = loss(smoothing, **options)
    return lambda z, y: smoother({"logits": z}, y)


@library(
    "fastai",
    "fastai==2.8.12",
    "fastai.losses.LabelSmoothingCrossEntropy",
)
def fastai(loss, smoothing, **options):
    return loss(smoothing, **options)


@library(
    "Segmentation Models",
    "segmentation_models_pytorch==0.6.0",
    "segmentation_models_pytorch.losses.soft_ce.SoftCrossEntropyLoss",
    alone=True,
)
def segmentation_models(loss, smoothing, **options):
    return loss(smooth_factor=smoothing, **options)


@library(
    "PyTorch Toolbelt",
    "pytorch_toolbelt==0.8.0",
    "pytorch_toolbelt.losses.soft_ce.SoftCrossEntropyLoss",
    alone=True,
)
def pytorch_toolbelt(loss, smoothing, **options):
    return loss(smooth_factor=smoothing, **options)


@library("MONAI", "monai==1.6.1", "monai.losses.DiceCELoss")
def monai(loss, smoothing, **options):
    made = loss(label_smoothing=smoothing, lambda_dice=0, **options)
    return lambda z, y: made(z, y.unsqueeze(1))


@library(
    "MMPretrain",
    "mmpretrain==1.2.0",
    "mmpretrain.models.losses.label_smooth_loss.LabelSmoothLoss",
    alone=True,
    stubs={"mmpretrain.registry": {"MODELS": types.SimpleNamespace(register_module=decorator)}},
)
def mmpretrain(loss, smoothing, weight=None, **options):
    return loss(smoothing, class_weight=weight, **options)


@library("MMPretrain, mode classy_vision", *LIBRARIES["MMPretrain"][1:3], alone=True, stubs=LIBRARIES["MMPretrain"].stubs)
def mmpretrain_classy(loss, smoothing, weight=None, **options):
    return loss(smoothing, mode="classy_vision", class_weight=weight, **options)


@library(
    "ClassyVision",
    "classy_vision==0.7.0",
    "classy_vision.losses.label_smoothing_loss.LabelSmoothingCrossEntropyLoss",
)
def classy_vision(loss, smoothing, **options):
    return loss(smoothing_param=smoothing, **options)


@library(
    "SuperGradients",
    "super_gradients==3.7.1",
    "super_gradients.training.losses.label_smoothing_cross_entropy_loss.CrossEntropyLoss",
    alone=True,
)
def super_gradients(loss, smoothing, **options):
    made = loss(smooth_eps=smoothing, **options)
    return lambda z, y: made(z, y)[0]


@library(
    "Torchreid",
    "torchreid==0.2.5",
    "torchreid.reid.losses.cross_entropy_loss.CrossEntropyLoss",
    alone=True,
)
def torchreid(loss, smoothing, **options):
    return lambda z, y: loss(z.shape[1], smoothing, use_gpu=False, **options)(z, y)


@library(
    "Keras",
    "keras==3.15.1",
    "keras.losses.CategoricalCrossentropy",
    needs=(
        "absl-py",
        "rich",
        "namex",
        "h5py",
        "optree",
        "ml-dtypes",
        "packaging",
    ),
    env={"KERAS_BACKEND": "torch"},
    takes="probabilities",
)
def keras(loss, smoothing, **options):
    made = loss(from_logits=True, label_smoothing=smoothing, **options)
    return on_one_hot(lambda z, y: made(y, z))


@library(
    "optax",
    "optax==0.2.8",
    "optax.losses._smoothing.smooth_labels",
    needs=("jax", "jaxlib", "ml-dtypes", "opt-einsum", "scipy"),
    alone=True,
    takes="probabilities",
    gives="labels",
)
def optax(smooth_labels, smoothing, **options):
    def smooth(labels):
        return torch.tensor(smooth_labels(labels.numpy(), smoothing, **options).tolist())

    return of_labels(smooth)


@library(
    "tinygrad",
    "tinygrad==0.14.0",
    "tinygrad.Tensor",
    env={"DEV": "PYTHON"},
)
def tinygrad(tensor, smoothing, **options):
    def value_and_grad(y, z):
        logits = tensor(z, requires_grad=True)
        loss = logits.cross_entropy(tensor(y), label_smoothing=smoothing, **options)
        (grad,) = loss.sum().gradient(logits)
        return loss.numpy(), grad.numpy()

    return elsewhere(value_and_grad)


@library(
    "tinygrad, sparse",
    "tinygrad==0.14.0",
    "tinygrad.Tensor",
    env={"DEV": "PYTHON"},
)
def tinygrad_sparse(tensor, smoothing, **options):
    def value_and_grad(y, z):
        logits = tensor(z, requires_grad=True)
        loss = logits.sparse_categorical_crossentropy(
            tensor(y), label_smoothing=smoothing, **options
        )
        (grad,) = loss.sum().gradient(logits)
        return loss.numpy(), grad.numpy()

    return elsewhere(value_and_grad)


@library("MLX", "mlx==0.32.4", "mlx.nn.losses.cross_entropy", needs=("mlx-cpu==0.32.4",))
def mlx(loss, smoothing, **options):
    import mlx.core as mx

    mx.set_default_device(mx.cpu)

    def value_and_grad(y, z):
        made = partial(loss, targets=mx.array(y), label_smoothing=smoothing, **options)
        z = mx.array(z)
        grad = mx.grad(lambda z: made(z).sum())(z)
        return torch.tensor(made(z).tolist()).numpy(), torch.tensor(grad.tolist()).numpy()

    return elsewhere(value_and_grad)


@library(
    "Liger Kernel",
    "liger_kernel==0.8.5",
    "liger_kernel.transformers.cross_entropy.LigerCrossEntropyLoss",
    needs=("triton",),
    env={"TRITON_INTERPRET": "1"},
)
def liger(loss, smoothing, **options):
    made = loss(label_smoothing=smoothing, **options)
    return lambda z, y: made(z.clone(), y)


@library(
    "Unsloth Zoo",
    "unsloth_zoo==2026.10.9",
    "unsloth_zoo.fused_losses.stable_softmax.smoothed_nll",
    alone=True,
)
def unsloth(loss, smoothing, **options):
    return partial(loss, label_smoothing=smoothing, **options)


@library(
    "SpeechBrain, nll_loss",
    "speechbrain==1.1.2",
    "speechbrain.nnet.losses.nll_loss",
)
def speechbrain(loss, smoothing, **options):
    return on_log_probs(partial(loss, label_smoothing=smoothing, **options))


@library(
    "SpeechBrain, kldiv_loss",
    "speechbrain==1.1.2",
    "speechbrain.nnet.losses.kldiv_loss",
)
def speechbrain_kldiv(loss, smoothing, **options):
    return on_log_probs(partial(loss, label_smoothing=smoothing, **options))


@library(
    "fairseq2",
    "fairseq2==0.8.1",
    "fairseq2.nn.functional.cross_entropy.cross_entropy",
    alone=True,
)
def fairseq2(loss, smoothing, **options):
    return partial(loss, pad_idx=None, label_smoothing=smoothing, **options)


@library(
    "fairseq",
    "fairseq==0.12.2",
    "fairseq.criterions.label_smoothed_cross_entropy.label_smoothed_nll_loss",
    alone=True,
    stubs={
        "fairseq": {"metrics": None, "utils": None},
        "fairseq.criterions": {"FairseqCriterion": object, "register_criterion": decorator},
        "fairseq.dataclass": {"FairseqDataclass": object},
        "omegaconf": {"II": str},
    },
)
def fairseq(loss, smoothing, **options):
    made = partial(loss, epsilon=smoothing, **options)
    return on_log_probs(lambda z, y: made(z, y)[0])


@library(
    "ESPnet",
    "espnet==202511",
    "espnet.nets.pytorch_backend.transformer.label_smoothing_loss.LabelSmoothingLoss",
)
def espnet(loss, smoothing, **options):
    return on_sequences(lambda z, y: loss(z.shape[2], -1, smoothing, **options)(z, y))


@library(
    "FunASR",
    "funasr==1.4.16",
    "funasr.losses.label_smoothing_loss.LabelSmoothingLoss",
    alone=True,
    stubs={"funasr.models.transformer.utils.nets_utils": {"make_pad_mask": None}},
)
def funasr(loss, smoothing, **options):
    return on_sequences(lambda z, y: loss(z.shape[2], -1, smoothing, **options)(z, y))


@library(
    "NeMo",
    "nemo_toolkit==3.0.0",
    "nemo.collections.common.losses.smoothed_cross_entropy.SmoothedCrossEntropyLoss",
    alone=True,
    stubs={
        "nemo.core.classes": {
            "Loss": nn.Module,
            "NeuralModule": nn.Module,
            "Exportable": object,
            "typecheck": decorator,
        },
        "nemo.core.neural_types": dict.fromkeys(
            ("LabelsType", "LogprobsType", "LossType", "MaskType", "NeuralType")
        ),
    },
)
def nemo(loss, smoothing, **options):
    made = loss(pad_id=-1, label_smoothing=smoothing, **options)
    return on_sequences(on_log_probs(made))


@library(
    "PyKEEN",
    "pykeen==1.11.1",
    "pykeen.losses.apply_label_smoothing",
    alone=True,
    needs=("class-resolver", "docdata"),
    takes="probabilities",
    gives="labels",
)
def pykeen(smooth_labels, smoothing, **options):
    return of_labels(lambda y: smooth_labels(y, smoothing, y.shape[-1], **options))


@library(
    "Megatron Core",
    "megatron-core==0.16.1",
    "megatron.core.tensor_parallel.cross_entropy.vocab_parallel_cross_entropy",
)
def megatron(loss, smoothing, **options):
    import torch.distributed as dist
    from megatron.core import parallel_state

    if not dist.is_initialized():  # one process stands for all
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
        parallel_state.initialize_model_parallel()
    made = partial(loss, label_smoothing=smoothing, **options)
    return lambda z, y: made(z.clone(), y)


@library("AllenNLP", "allennlp==2.10.1", "allennlp.nn.util.sequence_cross_entropy_with_logits", alone=True,
    stubs={
        "allennlp.common.checks": {"ConfigurationError": ValueError},
        "allennlp.common.util": dict.fromkeys(("int_to_device", "is_distributed", "is_global_primary")),
    })
def allennlp(loss, smoothing, **options):
    def call(z, y):
        options_ = {"weights": torch.ones(y.shape)} | options
        return loss(z, y, label_smoothing=smoothing, **options_)

    return on_sequences(call)


@library(
    "Sockeye",
    "sockeye==3.1.34",
    "sockeye.loss.CrossEntropyLoss",
    alone=True,
)
def sockeye(loss, smoothing, **options):
    made = loss(label_smoothing=smoothing, **options)
    return lambda z, y: made({"logits": z}, {"target_label": y})[0]


@library(
    "Sockeye, fairseq",
    "sockeye==3.1.34",
    "sockeye.loss.CrossEntropyLoss",
    alone=True,
)
def sockeye_fairseq(loss, smoothing, **options):
    made = loss(label_smoothing=smoothing, label_smoothing_impl="fairseq", **options)
    return lambda z, y: made({"logits": z}, {"target_label": y})[0]


@library(
    "JoeyNMT", "joeynmt==2.3.0", "joeynmt.loss.XentLoss", alone=True, from_k=3
)
def joeynmt(loss, smoothing, **options):
    made = loss(pad_index=0, smoothing=smoothing, **options)
    return on_log_probs(lambda z, y: made(z, trg=y))


@library(
    "labml.ai",
    "labml_nn==0.5.1",
    "labml_nn.transformers.label_smoothing_loss.LabelSmoothingLoss",
    alone=True,
    from_k=3,
)
def labml(loss, smoothing, **options):
    def call(z, y):
        return loss(z.shape[1], padding_idx=0, smoothing=smoothing, **options)(z, y)

    return on_log_probs(call)
