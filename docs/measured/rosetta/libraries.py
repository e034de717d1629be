"""The libraries that ``nox -s rosetta`` runs: where the loss is, and how it is called.

An entry is a function that takes what stands at the path and the ε to write there, and
returns a loss as PyTorch's is called: ``loss(logits, target)``, with class indices. What
else it is given (``weight``, ``reduction``) it hands on under the name that the library
has for it; a library that has none refuses it by itself.
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Library(NamedTuple):
    """What to download, what to import, and how to call it."""

    name: str
    package: str  # as pip asks for it, with its version; or nothing: it is there
    path: str
    make: Callable[..., Callable[..., Any]]
    needs: tuple[str, ...] = ()  # to download beside it
    alone: bool = False  # without the __init__ of its packages, which need the world
    stubs: Mapping[str, Mapping[str, Any]] = NOTHING  # modules that stand in for others
    env: Mapping[str, str] = NOTHING
    checks_bounds: bool = True  # if not, an index that is none is not to be tried
    takes: str = "classes"  # or "probabilities"
    gives: str = "loss"  # or "labels"
    two_classes: bool = False
    former: bool = False  # a release of earlier days
    pip: tuple[str, ...] = ()  # how to ask for it


LIBRARIES: dict[str, Library] = {}
FOR_PYTHON_3_8 = (
    "--only-binary=:all:",
    "--python-version=3.8",
    "--platform=manylinux1_x86_64",
)


def library(name, package, path, **options):
    def add(make):
        LIBRARIES[name] = Library(name, package, path, make, **options)
        return make

    return add


def variant(name, of, **changes):
    """Add another loss of a library, or another release of it."""

    def add(make):
        LIBRARIES[name] = LIBRARIES[of]._replace(name=name, make=make, **changes)
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
        (grad,) = ctx.saved_tensors  # of the sum, if there are several
        return grad_output.flatten()[0] * grad, None


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
    alone=True,
    stubs={
        "transformers.integrations.deepspeed": {"is_deepspeed_zero3_enabled": None},
        "transformers.utils": {
            "is_sagemaker_mp_enabled": lambda: False,
            "is_torch_available": lambda: True,
            "is_torch_xla_available": lambda: False,
            "is_training_run_on_sagemaker": lambda: False,
            "logging": SimpleNamespace(get_logger=logging.getLogger),
        },
    },
)
def transformers(loss, smoothing, **options):
    smoother = loss(smoothing, **options)
    return lambda z, y: smoother({"logits": z}, y)


@library(
    "fastai",
    "fastai==2.8.12",
    "fastai.losses.LabelSmoothingCrossEntropy",
    needs=(
        "fastcore",
        "fasttransform",
        "plum-dispatch",
        "rich",
        "beartype",
        "pandas",
        "scipy",
        "requests",
        "urllib3",
        "idna",
        "charset-normalizer",
        "certifi",
        "pyyaml",
    ),
    stubs={"fastprogress.fastprogress": {"progress_bar": None, "master_bar": None}},
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
    stubs={"pytorch_toolbelt.utils": {"pytorch_toolbelt_deprecated": decorator}},
)
def pytorch_toolbelt(loss, smoothing, **options):
    return loss(smooth_factor=smoothing, **options)


@library("MONAI", "monai==1.6.1", "monai.losses.DiceCELoss")
def monai(loss, smoothing, **options):
    # Of the sum of two losses, the one that has the smoothing.
    made = loss(label_smoothing=smoothing, lambda_dice=0, to_onehot_y=True, **options)
    return lambda z, y: made(z, y.unsqueeze(1))


@library(
    "MMPretrain",
    "mmpretrain==1.2.0",
    "mmpretrain.models.losses.label_smooth_loss.LabelSmoothLoss",
    alone=True,
    stubs={"mmpretrain.registry": {"MODELS": SimpleNamespace(register_module=decorator)}},
)
def mmpretrain(loss, smoothing, weight=None, **options):
    return loss(smoothing, class_weight=weight, **options)


@variant("MMPretrain, classy_vision", "MMPretrain")
def mmpretrain_classy(loss, smoothing, weight=None, **options):
    return loss(smoothing, mode="classy_vision", class_weight=weight, **options)


@library(
    "ClassyVision",
    "classy_vision==0.7.0",
    "classy_vision.losses.label_smoothing_loss.LabelSmoothingCrossEntropyLoss",
    alone=True,
    stubs={
        "classy_vision.losses": {"ClassyLoss": nn.Module, "register_loss": decorator},
        "fvcore.common.file_io": {"PathManager": None},
    },
)
def classy_vision(loss, smoothing, **options):
    return loss(smoothing_param=smoothing, **options)


@library(
    "SuperGradients",
    "super_gradients==3.7.1",
    "super_gradients.training.losses.label_smoothing_cross_entropy_loss.CrossEntropyLoss",
    alone=True,
    stubs={"super_gradients.common.registry.registry": {"register_loss": decorator}},
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
        logits = tensor(z)
        loss = logits.cross_entropy(tensor(y), label_smoothing=smoothing, **options)
        (grad,) = loss.sum().gradient(logits)
        return loss.numpy(), grad.numpy()

    return elsewhere(value_and_grad)


@variant("tinygrad, sparse", "tinygrad")
def tinygrad_sparse(tensor, smoothing, **options):
    def value_and_grad(y, z):
        logits = tensor(z)
        loss = logits.sparse_categorical_crossentropy(
            tensor(y), label_smoothing=smoothing, **options
        )
        (grad,) = loss.sum().gradient(logits)
        return loss.numpy(), grad.numpy()

    return elsewhere(value_and_grad)


@library(
    "TensorFlow",
    "tensorflow-cpu==2.21.0",
    "tensorflow.compat.v1.losses.softmax_cross_entropy",
    needs=(
        *LIBRARIES["Keras"].needs,
        "keras",
        "astunparse",
        "flatbuffers",
        "gast",
        "google-pasta",
        "grpcio",
        "opt-einsum",
        "protobuf",
        "requests",
        "six",
        "termcolor",
        "urllib3",
        "idna",
        "charset-normalizer",
        "certifi",
        "wrapt",
    ),
    takes="probabilities",
)
def tensorflow(loss, smoothing, **options):
    import tensorflow as tf

    def value_and_grad(y, z):
        z = tf.constant(z)
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = loss(y, z, label_smoothing=smoothing, **options)
        return value.numpy(), tape.gradient(value, z).numpy()

    return on_one_hot(elsewhere(value_and_grad))


@library(
    "PaddlePaddle",
    "paddlepaddle==3.3.1",
    "paddle.nn.functional.cross_entropy",
    needs=(
        "anyio",
        "h11",
        "httpcore",
        "httpx",
        "idna",
        "certifi",
        "networkx",
        "opt-einsum",
        "protobuf",
        "safetensors",
    ),
)
def paddlepaddle(loss, smoothing, weight=None, **options):
    import paddle

    if weight is not None:
        options["weight"] = paddle.to_tensor(weight.numpy())

    def value_and_grad(y, z):
        z, y = paddle.to_tensor(z, stop_gradient=False), paddle.to_tensor(y)
        value = loss(z, y, label_smoothing=smoothing, **options)
        value.sum().backward()
        return value.numpy(), z.grad.numpy()

    return elsewhere(value_and_grad)


@library(
    "MLX",
    "mlx==0.32.4",
    "mlx.nn.losses.cross_entropy",
    needs=("mlx-cpu",),
    checks_bounds=False,
)
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
    alone=True,
    stubs={
        "speechbrain.dataio.dataio": {"length_to_mask": None},
        "speechbrain.decoders.ctc": {"filter_ctc_output": None},
        "speechbrain.utils.data_utils": {"unsqueeze_as": None},
        "speechbrain.utils.logger": {"get_logger": logging.getLogger},
    },
)
def speechbrain(loss, smoothing, **options):
    return on_log_probs(partial(loss, label_smoothing=smoothing, **options))


variant(
    "SpeechBrain, kldiv_loss",
    "SpeechBrain, nll_loss",
    path="speechbrain.nnet.losses.kldiv_loss",
)(speechbrain)


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
    pip=FOR_PYTHON_3_8,
    alone=True,
    stubs={
        "fairseq": {"metrics": None, "utils": None},
        "fairseq.criterions": {
            "FairseqCriterion": object,
            "register_criterion": decorator,
        },
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


variant(
    "FunASR",
    "ESPnet",
    package="funasr==1.4.16",
    path="funasr.losses.label_smoothing_loss.LabelSmoothingLoss",
    alone=True,
    stubs={"funasr.models.transformer.utils.nets_utils": {"make_pad_mask": None}},
)(espnet)


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
    needs=("class-resolver", "docdata", "pyyaml"),
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


@library(
    "AllenNLP",
    "allennlp==2.10.1",
    "allennlp.nn.util.sequence_cross_entropy_with_logits",
    alone=True,
    stubs={
        "allennlp.common.checks": {"ConfigurationError": ValueError},
        "allennlp.common.util": dict.fromkeys(
            ("int_to_device", "is_distributed", "is_global_primary")
        ),
    },
)
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
    stubs={"sockeye": {"__version__": "3.1.34"}},
)
def sockeye(loss, smoothing):  # its ``weight`` is that of the whole loss
    made = loss(label_smoothing=smoothing)
    return lambda z, y: made({"logits": z}, {"target_label": y})[0]


@variant("Sockeye, fairseq", "Sockeye")
def sockeye_fairseq(loss, smoothing):
    made = loss(label_smoothing=smoothing, label_smoothing_impl="fairseq")
    return lambda z, y: made({"logits": z}, {"target_label": y})[0]


@library("JoeyNMT", "joeynmt==2.3.0", "joeynmt.loss.XentLoss", alone=True)
def joeynmt(loss, smoothing, **options):
    made = loss(pad_index=0, smoothing=smoothing, **options)
    return on_log_probs(lambda z, y: made(z, trg=y))


@library(
    "labml.ai",
    "labml_nn==0.5.1",
    "labml_nn.transformers.label_smoothing_loss.LabelSmoothingLoss",
    alone=True,
)
def labml(loss, smoothing, **options):
    def call(z, y):
        return loss(z.shape[1], padding_idx=0, smoothing=smoothing, **options)(z, y)

    return on_log_probs(call)


@library(
    "OpenNMT-py",
    "OpenNMT-py==3.5.1",
    "onmt.utils.loss.LossCompute",
    alone=True,
    stubs={
        "onmt": {
            "utils": SimpleNamespace(misc=SimpleNamespace(use_gpu=lambda opt: False))
        },
        "onmt.model_builder": {"load_test_model": None},
    },
)
def opennmt(loss, smoothing, **options):
    opt = SimpleNamespace(
        label_smoothing=smoothing,
        lambda_coverage=0,
        lambda_align=0,
        model_task="seq2seq",
        copy_attn=False,
        generator_function="softmax",
        lm_prior_model=None,
        lm_prior_lambda=0,
        lm_prior_tau=1,
    )
    vocab = {"<blank>": 0, "<unk>": 1}
    return loss.from_opts(
        opt, SimpleNamespace(generator=None), vocab, **options
    ).criterion


# Of one logit, for two classes or many labels.


@library(
    "Keras, binary",
    "keras==3.15.1",
    "keras.losses.BinaryCrossentropy",
    needs=LIBRARIES["Keras"].needs,
    env=LIBRARIES["Keras"].env,
    two_classes=True,
)
def keras_binary(loss, smoothing, **options):
    made = loss(from_logits=True, label_smoothing=smoothing, **options)
    return on_two_classes(lambda z, y: made(y[:, None], z[:, None]))


@library(
    "timm, binary",
    "timm==1.0.31",
    "timm.loss.binary_cross_entropy.BinaryCrossEntropy",
    alone=True,
    two_classes=True,
)
def timm_binary(loss, smoothing, **options):
    return on_two_classes(loss(smoothing, smooth_dense=True, **options))


@library(
    "YOLOv5",
    "yolov5==7.0.14",
    "yolov5.utils.loss.smooth_BCE",
    alone=True,
    stubs={
        "yolov5.utils.metrics": {"bbox_iou": None},
        "yolov5.utils.torch_utils": {"de_parallel": None},
    },
    gives="labels",
    two_classes=True,
)
def yolov5(smooth_labels, smoothing, **options):
    one, zero = smooth_labels(smoothing, **options)
    return on_two_classes(
        lambda z, y: F.binary_cross_entropy_with_logits(z, y * one + (1 - y) * zero)
    )


@library(
    "Segmentation Models, binary",
    "segmentation_models_pytorch==0.6.0",
    "segmentation_models_pytorch.losses.soft_bce.SoftBCEWithLogitsLoss",
    alone=True,
    two_classes=True,
)
def soft_bce(loss, smoothing, **options):
    return on_two_classes(loss(smooth_factor=smoothing, **options))


variant(
    "PyTorch Toolbelt, binary",
    "Segmentation Models, binary",
    package="pytorch_toolbelt==0.8.0",
    path="pytorch_toolbelt.losses.soft_bce.SoftBCEWithLogitsLoss",
    stubs=LIBRARIES["PyTorch Toolbelt"].stubs,
)(soft_bce)


@variant("MMPretrain, multi_label", "MMPretrain", two_classes=True)
def mmpretrain_multi_label(loss, smoothing, **options):
    made = loss(smoothing, mode="multi_label", use_sigmoid=True, **options)
    # It takes two labels or more: the same twice.
    return on_two_classes(
        lambda z, y: made(torch.stack((z, z), 1), torch.stack((y, y), 1))
    )


@library(
    "torchtune, DPO",
    "torchtune==0.6.1",
    "torchtune.rlhf.loss.dpo.DPOLoss",
    alone=True,
    two_classes=True,
)
def torchtune(loss, smoothing, **options):
    made = loss(beta=1, label_smoothing=smoothing, **options)
    zero = torch.zeros(())
    # The answer preferred is the first with label 1, the second with label 0.
    return on_two_classes(lambda z, y: made(z * (2 * y - 1), zero, zero, zero)[0])


# Earlier releases.


@variant(
    "OpenNMT-py, until 3.0.2",
    "OpenNMT-py",
    package="OpenNMT-py==3.0.2",
    path="onmt.utils.loss.LabelSmoothingLoss",
    former=True,
)
def opennmt_until(loss, smoothing, **options):
    return on_log_probs(
        lambda z, y: loss(smoothing, z.shape[1], ignore_index=0, **options)(z, y)
    )


variant(
    "OpenNMT-py, since 3.0.3", "OpenNMT-py", package="OpenNMT-py==3.0.3", former=True
)(opennmt)
variant("fairseq, until 0.10.2", "fairseq", package="fairseq==0.10.2", former=True)(
    fairseq
)
variant("fairseq, since 0.11.1", "fairseq", package="fairseq==0.11.1", former=True)(
    fairseq
)
