"""How a loss is called: layouts, the order of its arguments, and what it returns."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from label_smoothing.auditing.report import audit_as
from label_smoothing.auditing.signatures import Signature

from .inputs import exactly

ROWS, K = 4, 3
LOGITS = torch.randn(ROWS, K, generator=torch.Generator().manual_seed(0))
CLASSES = torch.tensor([2, 1, 0, 2])
PROBABILITIES = LOGITS.softmax(1)
EACH = F.cross_entropy(LOGITS, CLASSES, reduction="none")


@pytest.mark.parametrize(
    ("layout", "shape", "short"),
    [
        ("NV", (ROWS, K), (ROWS,)),
        ("VN", (K, ROWS), (ROWS,)),
        ("TK", (ROWS, K), (ROWS,)),
        ("NTV", (1, ROWS, K), (1, ROWS)),
        ("NVT", (1, K, ROWS), (1, ROWS)),
        ("TNV", (ROWS, 1, K), (ROWS, 1)),
        ("NCHW", (1, K, ROWS, 1), (1, ROWS, 1)),
        ("NHWC", (1, ROWS, 1, K), (1, ROWS, 1)),
        ("HWCN", (ROWS, 1, K, 1), (ROWS, 1, 1)),
    ],
)
def test_rows_lie_along_one_dimension(
    layout: str, shape: tuple[int, ...], short: tuple[int, ...]
) -> None:
    def loss(logits: Tensor, target: Tensor) -> Tensor:
        assert logits.shape == shape
        assert logits.is_contiguous()
        if target.is_floating_point():
            assert target.shape == shape
            dim = logits.shape.index(K)
            return -(target * logits.log_softmax(dim)).sum(dim)
        assert target.shape == short
        dim = logits.shape.index(K)
        return F.cross_entropy(logits.movedim(dim, 1), target, reduction="none")

    found = Signature(layout).call(loss, LOGITS, CLASSES)
    torch.testing.assert_close(found, EACH)
    found = Signature(layout).call(loss, LOGITS, PROBABILITIES)
    torch.testing.assert_close(found, torch.special.entr(PROBABILITIES).sum(1))


@pytest.mark.parametrize("layout", ["NV", "NTV", "NVT"])
@pytest.mark.parametrize(
    "result", [torch.tensor(1.0), torch.ones(1), torch.ones(ROWS, K), 0.1]
)
def test_other_results_come_back_as_they_are(layout: str, result: Any) -> None:
    assert Signature(layout).call(lambda z, y: result, LOGITS, CLASSES) is result


def test_one_row_with_one_value_has_a_dimension_if_the_loss_gives_it_one() -> None:
    def call(value: Tensor) -> torch.Size:
        found: Tensor = Signature("NTV").call(lambda z, y: value, LOGITS[:1], CLASSES[:1])
        return found.shape

    assert call(torch.ones(1, 1)) == (1,)
    assert call(torch.tensor(1.0)) == ()


@pytest.mark.parametrize("target", [torch.zeros(2, 5), torch.zeros(2, K, 5)])
def test_logits_with_more_dimensions_have_a_layout(target: Tensor) -> None:
    logits = torch.zeros(2, K, 5)

    def loss(z: Tensor, y: Tensor) -> Tensor:
        assert z is logits
        assert y is target
        return torch.ones(1, 2)

    assert Signature("NTV").call(loss, logits, target).shape == (1, 2)


def test_target_comes_first() -> None:
    signature = Signature("NTV", arguments=("target", "logits"))

    def loss(target: Tensor, logits: Tensor) -> Tensor:
        return F.cross_entropy(logits[0], target[0])

    assert signature.call(loss, LOGITS, CLASSES) == EACH.mean()


class Output(dict[str, Any]):
    """As that of a transformer."""

    @property
    def loss(self) -> Any:
        return self["loss"]


@pytest.mark.parametrize(
    ("returns", "made"),
    [
        (0, lambda loss: (loss, LOGITS)),
        (-1, lambda loss: [LOGITS, loss]),
        (1, lambda loss: {1: loss}),
        ("loss", lambda loss: {"logits": LOGITS, "loss": loss}),
        ("loss", lambda loss: SimpleNamespace(loss=loss)),
        ("loss", lambda loss: Output(loss=loss)),
    ],
)
def test_the_loss_is_found_in_what_is_returned(returns: int | str, made: Any) -> None:
    signature = Signature("NTV", returns)
    found = signature.call(lambda z, y: made(EACH[None]), LOGITS, CLASSES)
    assert torch.equal(found, EACH)


@pytest.mark.parametrize(
    ("returns", "result", "got"),
    [
        (2, (EACH, EACH), "a tuple, got 2"),
        (0, {"loss": EACH, "logits": EACH}, "a dict with loss, logits, got 0"),
        ("lost", {"loss": EACH}, "a dict with loss, got 'lost'"),
        ("loss", (EACH,), "a tuple, got 'loss'"),
        ("loss", None, "a NoneType, got 'loss'"),
        (0, EACH, "a tensor, got 0"),  # it would be the loss of the first row
        ("T", EACH, "a tensor, got 'T'"),
        (0, 0.1, "a float, got 0"),
    ],
)
def test_loss_that_is_not_in_what_is_returned(
    returns: int | str, result: Any, got: str
) -> None:
    message = f"returns must be in what the loss returns, {got}"
    with pytest.raises(ValueError, match=exactly(message)):
        Signature(returns=returns).call(lambda z, y: result, LOGITS, CLASSES)


@pytest.mark.parametrize(
    "layout", ["", "V", "N", "NT", "NVC", "NTTV", "nv", "N V", "N1V", "NVV", "VV"]
)
def test_layouts_that_are_none(layout: str) -> None:
    message = (
        "layout must be two or more different letters, one of them V, C or K for the "
        f"classes, such as NV or NTV, got {layout!r}"
    )
    with pytest.raises(ValueError, match=exactly(message)):
        Signature(layout)


@pytest.mark.parametrize(
    "arguments", [("logits",), ("logits", "labels"), ("target", "logits", "target"), ()]
)
def test_arguments_that_are_none(arguments: tuple[str, ...]) -> None:
    message = "arguments must be logits and target, in the order of the loss, got "
    with pytest.raises(ValueError, match=re.escape(message + ", ".join(arguments)) + "$"):
        Signature(arguments=arguments)


def test_audit_calls_the_loss_in_its_own_way() -> None:
    def loss(target: Tensor, logits: Tensor, smoothing: float) -> dict[str, Tensor]:
        batch, positions, _ = logits.shape
        assert target.shape == (batch, positions)
        smoothed = F.cross_entropy(
            logits.movedim(2, 1), target, label_smoothing=smoothing, reduction="none"
        )
        return {"loss": smoothed}

    signature = Signature("NTV", "loss", ("target", "logits"))
    found = audit_as(loss, signature, 5, None, {"smoothing": 0.1})
    assert found.convention == "uniform"
    assert found.reduction == "none"
