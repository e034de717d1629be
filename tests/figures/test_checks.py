"""What cannot be drawn, and what can be at the edges."""

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from label_smoothing import figures, uniform
from label_smoothing.example import logits, target

from .builders import COLUMN, CROSS, CUBE, PADDED, PADLESS, THREE, WEIGHT, ZEROS

CLASSES = {
    "mix": lambda k: figures.mix(k, 0.3),
    "weight_flip": lambda k: figures.weight_flip(k, 0.3),
    "floor": lambda k: figures.floor(k, 0.3),
    "excess": lambda k: figures.excess(k, 0.3, 9),
    "masked": lambda k: figures.masked(k, 0.3),
    "softmax_twice": figures.softmax_twice,
    "half_sum": lambda k: figures.half_sum(k, 3),
    "conventions": lambda k: figures.conventions(0.1, [k]),
}
COUNTS = {
    "steps": lambda n: figures.excess(5, 0.3, n),
    "rows": lambda n: figures.half_sum(10, n),
    "bins": lambda n: figures.reliability(logits, target, n),
}
SOME_SMOOTHING = {
    "floor": lambda e: figures.floor(5, e),
    "weight_flip": lambda e: figures.weight_flip(5, e),
    "excess": lambda e: figures.excess(5, e, 9),
    "masked": lambda e: figures.masked(5, e),
    "binary": figures.binary,
    "conventions": lambda e: figures.conventions(e, [2]),
    "gaps": lambda e: figures.gaps(logits, target, e),
}
ANY_SMOOTHING = {
    "targets": lambda e: figures.targets(target[0], 5, e),
    "mix": lambda e: figures.mix(5, e),
    "gradient": lambda e: figures.gradient(logits[0], target[0], e),
    "weighted_target": lambda e: figures.weighted_target(target[0], WEIGHT, e),
    "loss_terms": lambda e: figures.loss_terms(logits, target, e),
    "padding": lambda e: figures.padding(logits, PADDED, e),
    "smoothed_pipeline": lambda e: figures.smoothed_pipeline(logits, target, e),
}

# These draw numbers as bars, curves and points.
OF_LOGITS = {
    "distribution": lambda z: figures.distribution(z, "p"),
    "gradient": lambda z: figures.gradient(z[0], target[0], 0.3),
    "loss_terms": lambda z: figures.loss_terms(z, target, 0.3),
    "padding": lambda z: figures.padding(z, PADDED, 0.3),
    "likelihood": lambda z: figures.likelihood(z, target),
    "reliability": lambda z: figures.reliability(z, target),
    "gaps": lambda z: figures.gaps(z, target, 0.3),
    "clusters": lambda z: figures.clusters(z, target, logits, [0, 1, 2]),
    "clusters by weight": lambda z: figures.clusters(logits, target, z, [0, 1, 2]),
    "intervals": lambda z: figures.intervals(
        {"a": dict(zip(("mean", "low", "high"), z[0, 2:].tolist(), strict=True))}, "x", 5
    ),
}
MASKED = ("gradient", "reliability")  # where p is zero it can be drawn
# These write numbers as text in cells: any number can be written.
TABLES = {
    "loss_pipeline": lambda z: figures.loss_pipeline(z, target),
    "smoothed_pipeline": lambda z: figures.smoothed_pipeline(z, target, 0.3),
    "class_dimension": lambda z: figures.class_dimension(z.T, target),
    "kl_terms": lambda z: figures.kl_terms(z[0], PADLESS),
    "gather": lambda z: figures.gather(z, 1, COLUMN, (0, 0)),
}


def by_name(drawings: dict[str, Callable[..., Figure]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("draw", drawings.values(), ids=drawings)


@by_name(CLASSES)
def test_one_class_is_too_few(draw: Callable[[int], Figure]) -> None:
    with pytest.raises(ValueError, match="num_classes must be at least 2, got 1"):
        draw(1)


@by_name(CLASSES)
@pytest.mark.parametrize("number", [2.0, True, "2"])
def test_a_number_of_classes_that_is_no_int(
    draw: Callable[[object], Figure], number: object
) -> None:
    kind = type(number).__name__
    with pytest.raises(TypeError, match=f"num_classes must be an int, got {kind}"):
        draw(number)


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("number", [0, -1, 2.0, True, "2"])
def test_a_count_that_is_none(name: str, number: object) -> None:
    message = re.escape(f"{name} must be a positive int, got {number!r}")
    with pytest.raises(ValueError, match=message):
        COUNTS[name](number)


@by_name(CLASSES | COUNTS)
def test_an_int_of_numpy_is_an_int(draw: Callable[[int], Figure]) -> None:
    assert draw(np.int64(5)).get_label() == draw(5).get_label()


@by_name(SOME_SMOOTHING)
@pytest.mark.parametrize("smoothing", [-0.1, 0.0, 1.0, 1.5, float("nan")])
def test_a_smoothing_that_leaves_nothing_to_see(
    draw: Callable[[float], Figure], smoothing: float
) -> None:
    with pytest.raises(ValueError, match=f"0 < smoothing < 1, got {smoothing}"):
        draw(smoothing)


@by_name(ANY_SMOOTHING)
@pytest.mark.parametrize("smoothing", [-0.1, 1.0, 1.5, float("nan")])
def test_a_smoothing_out_of_range(
    draw: Callable[[float], Figure], smoothing: float
) -> None:
    with pytest.raises(ValueError, match=rf"smoothing < 1, got {smoothing}"):
        draw(smoothing)


@pytest.mark.parametrize(
    ("draw", "shapes"),
    [
        (lambda: figures.gradient(logits, target, 0.3), "(K,) and (), got"),
        (lambda: figures.weighted_target(target, WEIGHT, 0.3), "(K,) and (), got"),
        (lambda: figures.loss_terms(logits[0], target[0], 0.3), "got (5,) and ()"),
        (lambda: figures.loss_terms(CUBE, target[:2], 0.3), "got (2, 3, 4) and (2,)"),
        (lambda: figures.loss_terms(WEIGHT[:3], target, 0.3), "got (3,) and (3,)"),
        (lambda: figures.padding(logits, target[0], 0.3), "got (3, 5) and ()"),
        (lambda: figures.likelihood(logits.T, target), "(N, K) and (N,), got (5, 3)"),
        (lambda: figures.loss_pipeline(logits, target[:2]), "got (3, 5) and (2,)"),
        (lambda: figures.smoothed_pipeline(logits[0], target, 0.3), "got (5,) and"),
        (lambda: figures.class_dimension(logits, target), "(K, T) and (T,), got"),
        (
            lambda: figures.kl_terms(ZEROS, PADLESS[:4]),
            "probs and target must have shapes (K,) and (K,), got (5,) and (4,)",
        ),
        (
            lambda: figures.reliability(logits, target[:2]),
            "logits and target must have shapes (N, K) and (N,), got",
        ),
        (
            lambda: figures.clusters(CROSS, THREE[:2], torch.eye(3), [0, 1, 2]),
            "features and target must have shapes (N, D) and (N,), got",
        ),
        (lambda: figures.gaps(logits, target[:1], 0.1), "logits and target must have"),
    ],
)
def test_two_shapes_that_do_not_fit(draw: Callable[[], Figure], shapes: str) -> None:
    with pytest.raises(ValueError, match=re.escape(shapes)):
        draw()


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: figures.targets(target, 5, 0.3), "target must have shape (), got (3,)"),
        (lambda: figures.distribution(CUBE, "u"), "got (2, 3, 4)"),
        (
            lambda: figures.distribution(logits, "z"),
            """symbol must be one of ('δ', 'u', "q'", 'p'), got 'z'""",
        ),
        (
            lambda: figures.loss_pipeline(torch.zeros(9, 9), torch.zeros(9).long()),
            "at most 8 by 8 to draw, got 9 by 9",
        ),
        (
            lambda: figures.smoothed_pipeline(torch.zeros(1, 9), target[:1], 0.3),
            "at most 8 by 8 to draw, got 1 by 9",
        ),
        (
            lambda: figures.class_dimension(torch.zeros(5, 5), torch.zeros(5).long()),
            "at most 8 by 4 to draw, got 5 by 5",
        ),
        (
            lambda: figures.kl_terms(uniform(9), uniform(9)),
            "probs must be at most 8 by 8 to draw, got 1 by 9",
        ),
        (lambda: figures.gather(CUBE[None], 0, CUBE[None] * 0), "at most 3 dimensions"),
        (lambda: figures.conventions(0.1, []), "there must be classes to draw, got []"),
        (lambda: figures.intervals({}, "error", 5), "there must be rows to draw, got"),
        *(
            (
                lambda classes=classes: figures.clusters(
                    CROSS, THREE, torch.eye(3), classes
                ),
                f"there must be three classes to draw, got {classes}",
            )
            for classes in ([0, 1], [0, 1, 2, 0])
        ),
        *(
            (
                lambda labels=labels: figures.clusters(
                    CROSS, labels, torch.eye(3), [0, 1, 2]
                ),
                f"class {k} has no rows to draw",
            )
            for k, labels in ((2, THREE % 2), (1, THREE // 2 * 2))
        ),
    ],
)
def test_what_cannot_be_drawn(draw: Callable[[], Figure], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        draw()


@pytest.mark.parametrize(
    ("draw", "name", "shape"),
    [
        (lambda: figures.distribution(logits[:0], "p"), "probs", (0, 5)),
        (lambda: figures.gradient(logits[0, :0], target[0], 0.3), "logits", (0,)),
        (lambda: figures.weighted_target(target[0], WEIGHT[:0], 0), "weight", (0,)),
        *(
            (
                lambda draw=draw, rest=rest: draw(logits[:0], target[:0], *rest),
                "logits",
                (0, 5),
            )
            for draw, *rest in (
                (figures.loss_terms, 0.3),
                (figures.padding, 0.3),
                (figures.loss_pipeline,),
                (figures.smoothed_pipeline, 0.3),
                (figures.likelihood,),
            )
        ),
        (
            lambda: figures.class_dimension(logits[:0].T, target[:0]),
            "logits",
            (5, 0),
        ),
        (lambda: figures.gather(logits, 1, COLUMN[:0]), "index", (0, 1)),
    ],
)
def test_nothing_to_draw(
    draw: Callable[[], Figure], name: str, shape: tuple[int, ...]
) -> None:
    message = f"{name} must not be empty, got shape {shape}"
    with pytest.raises(ValueError, match=re.escape(message)):
        draw()


@pytest.mark.parametrize("weight", [0 * WEIGHT, -WEIGHT, WEIGHT / 0, 2 * WEIGHT - 3])
def test_weights_that_leave_nothing_to_minimise(weight: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="must have a positive sum"):
        figures.weighted_target(target[0], weight, 0.3)


def with_number(number: float) -> torch.Tensor:
    return logits.index_put((torch.tensor(0), torch.tensor(2)), torch.tensor(number))


@by_name(OF_LOGITS)
@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_what_is_not_finite_cannot_be_drawn(
    draw: Callable[[torch.Tensor], Figure], number: float
) -> None:
    least = "nan" if math.isnan(number) else r"[\d.]+"
    message = rf"must give finite numbers to draw, got values from {least} to {number}"
    with pytest.raises(ValueError, match=message):
        draw(with_number(number))


@by_name({name: OF_LOGITS[name] for name in OF_LOGITS if name not in MASKED})
def test_a_class_that_is_masked_can_leave_nothing_to_draw(
    draw: Callable[[torch.Tensor], Figure],
) -> None:
    message = "must give finite numbers to draw, got values from -inf to "
    with pytest.raises(ValueError, match=message):
        draw(with_number(-math.inf))


@by_name(TABLES | {name: OF_LOGITS[name] for name in MASKED})
def test_a_class_that_is_masked_can_be_drawn(
    draw: Callable[[torch.Tensor], Figure],
) -> None:
    draw(with_number(-math.inf)).draw_without_rendering()


@pytest.mark.parametrize("draw", [figures.loss_terms, figures.smoothed_pipeline])
def test_a_class_that_is_masked_costs_nothing_without_smoothing(
    draw: Callable[..., Figure],
) -> None:
    z = logits.index_fill(1, torch.tensor(4), -math.inf)
    assert f"{F.cross_entropy(z[:1], target[:1]):.4g}" in draw(z, target, 0.0).get_label()


@by_name(TABLES)
def test_a_table_shows_what_is_not_a_number(
    draw: Callable[[torch.Tensor], Figure],
) -> None:
    (ax,) = draw(with_number(math.nan)).axes
    assert "nan" in [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("cell", [(3, 0), (4, 0), (0,), (0, 0, 0), (-1, 0)])
def test_a_cell_that_is_none(cell: tuple[int, ...]) -> None:
    with pytest.raises(IndexError, match=r"cell must be a cell of index, shape \(3, 1\)"):
        figures.gather(logits, 1, COLUMN, cell)


@pytest.mark.parametrize(
    "draw",
    [
        lambda z: figures.targets(target[0], 5, 0.3, prior=z[0].softmax(0)),
        lambda z: figures.distribution(z.softmax(1), "p"),
        lambda z: figures.gradient(z[0], target[0], 0.3),
        lambda z: figures.weighted_target(target[0], weight=z[0].exp(), smoothing=0.3),
        lambda z: figures.loss_terms(z, target, 0.3),
        lambda z: figures.padding(z, PADDED, 0.3),
        lambda z: figures.loss_pipeline(z, target),
        lambda z: figures.smoothed_pipeline(logits=z, target=target, smoothing=0.3),
        lambda z: figures.class_dimension(z.T, target),
        lambda z: figures.gather(z, 1, COLUMN),
        lambda z: figures.likelihood(z, target),
        lambda z: figures.kl_terms(z[0].softmax(0), PADLESS),
    ],
)
def test_logits_of_a_model_in_training_can_be_drawn(
    draw: Callable[[torch.Tensor], Figure],
) -> None:
    z = logits.clone().requires_grad_()  # a warning would be an error here
    figure = draw(z)
    assert figure.get_label() == draw(logits).get_label()
    figure.draw_without_rendering()


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.loss_terms(torch.zeros(2, 1), torch.zeros(2).long(), 0.3),
        lambda: figures.loss_terms(logits, target, 0.0),
        lambda: figures.padding(logits, torch.full((3,), -100), 0.0),
        lambda: figures.padding(torch.zeros(2, 1), torch.tensor([0, -100]), 0.3),
        lambda: figures.likelihood(torch.zeros(2, 1), torch.zeros(2).long()),
        lambda: figures.gradient(torch.zeros(1), target[2], 0.3),
        lambda: figures.targets(target[0], 1000, 0.3),
        lambda: figures.targets(target[2], 1, 0.3),
        lambda: figures.distribution(-uniform(3), "p"),
    ],
)
def test_the_edges_of_what_can_be_drawn(draw: Callable[[], Figure]) -> None:
    draw().draw_without_rendering()
