"""What cannot be drawn, and what can be at the edges."""

from collections.abc import Callable

import pytest
import torch
from matplotlib.figure import Figure

from label_smoothing import figures, uniform
from label_smoothing.__main__ import logits, target

from .builders import COLUMN, CROSS, CUBE, PADDED, PADLESS, THREE, WEIGHT, ZEROS


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (
            lambda: figures.targets(target, 5, 0.3),
            r"target must have shape \(\), got \(3,\)",
        ),
        (lambda: figures.gradient(logits, target, 0.3), r"shapes \(K,\) and \(\), got"),
        (lambda: figures.distribution(logits, "z"), "symbol must be one of .* got 'z'"),
        (lambda: figures.distribution(CUBE, "u"), r"got \(2, 3, 4\)"),
        (lambda: figures.mix(1, 0.3), "num_classes must be an int of at least 2, got 1"),
        *(
            (
                lambda draw=draw, smoothing=smoothing: draw(5, smoothing),
                f"0 < smoothing < 1, got {smoothing}",
            )
            for draw in (
                figures.floor,
                figures.weight_flip,
                figures.masked,
                lambda num_classes, smoothing: figures.excess(num_classes, smoothing, 9),
            )
            for smoothing in (-0.1, 0.0, 1.0, 1.5)
        ),
        (lambda: figures.loss_terms(logits[0], target[0], 0.3), r"got \(5,\) and \(\)"),
        (
            lambda: figures.loss_terms(CUBE, target[:2], 0.3),
            r"got \(2, 3, 4\) and \(2,\)",
        ),
        (lambda: figures.loss_terms(WEIGHT[:3], target, 0.3), r"got \(3,\) and \(3,\)"),
        (
            lambda: figures.loss_pipeline(torch.zeros(9, 9), torch.zeros(9).long()),
            "at most 8 by 8 to draw, got 9 by 9",
        ),
        (lambda: figures.loss_pipeline(logits, target[:2]), r"got \(3, 5\) and \(2,\)"),
        (lambda: figures.weight_flip(1, 0.3), "num_classes must be an int of at least 2"),
        (lambda: figures.masked(1, 0.3), "num_classes must be an int of at least 2"),
        (lambda: figures.excess(1, 0.3, 9), "num_classes must be an int of at least 2"),
        *(
            (
                lambda steps=steps: figures.excess(5, 0.3, steps),
                f"steps must be a positive int, got {steps}",
            )
            for steps in (0, -1, 2.0)
        ),
        (lambda: figures.weighted_target(target, WEIGHT, 0.3), r"shapes \(K,\) and \(\)"),
        (lambda: figures.padding(logits, target[0], 0.3), r"got \(3, 5\) and \(\)"),
        (
            lambda: figures.likelihood(logits.T, target),
            r"\(N, K\) and \(N,\), got \(5, 3\)",
        ),
        (lambda: figures.smoothed_pipeline(logits[0], target, 0.3), r"got \(5,\) and"),
        (
            lambda: figures.smoothed_pipeline(torch.zeros(1, 9), target[:1], 0.3),
            "at most 8 by 8 to draw, got 1 by 9",
        ),
        (lambda: figures.class_dimension(logits, target), r"\(K, T\) and \(T,\), got"),
        (
            lambda: figures.class_dimension(torch.zeros(5, 5), torch.zeros(5).long()),
            "at most 8 by 4 to draw, got 5 by 5",
        ),
        *(
            (
                lambda smoothing=smoothing: figures.binary(smoothing),
                f"0 < smoothing < 1, got {smoothing}",
            )
            for smoothing in (0.0, 1.0)
        ),
        (
            lambda: figures.kl_terms(ZEROS, PADLESS[:4]),
            r"probs and target must have shapes \(K,\) and \(K,\), got \(5,\) and \(4,\)",
        ),
        (
            lambda: figures.kl_terms(uniform(9), uniform(9)),
            "probs must be at most 8 by 8 to draw, got 1 by 9",
        ),
        (lambda: figures.half_sum(1, 3), "num_classes must be an int of at least 2"),
        *(
            (
                lambda rows=rows: figures.half_sum(10, rows),
                f"rows must be a positive int, got {rows}",
            )
            for rows in (0, -1, 2.0)
        ),
        (lambda: figures.softmax_twice(1), "num_classes must be an int of at least 2"),
        *(
            (
                lambda smoothing=smoothing: figures.conventions(smoothing, [2]),
                f"0 < smoothing < 1, got {smoothing}",
            )
            for smoothing in (-0.1, 0.0, 1.0, 1.5)
        ),
        (lambda: figures.conventions(0.1, []), r"classes to draw, got \[\]"),
        (lambda: figures.conventions(0.1, [1]), "an int of at least 2, got 1"),
        (lambda: figures.intervals({}, "error", 5), r"there must be rows to draw, got"),
        (lambda: figures.reliability(logits, target, 0), "bins must be a positive int"),
        (
            lambda: figures.reliability(logits, target[:2]),
            r"logits and target must have shapes \(N, K\) and \(N,\), got",
        ),
        (
            lambda: figures.clusters(CROSS, THREE[:2], torch.eye(3), [0, 1, 2]),
            r"features and target must have shapes \(N, D\) and \(N,\), got",
        ),
        (
            lambda: figures.clusters(CROSS, THREE, torch.eye(3), [0, 1]),
            r"there must be three classes to draw, got \[0, 1\]",
        ),
        (
            lambda: figures.clusters(CROSS, THREE % 2, torch.eye(3), [0, 1, 2]),
            "class 2 has no rows to draw",
        ),
        (
            lambda: figures.clusters(CROSS, THREE // 2 * 2, torch.eye(3), [0, 1, 2]),
            "class 1 has no rows to draw",
        ),
        (
            lambda: figures.clusters(CROSS, THREE, torch.eye(3), [0, 1, 2, 0]),
            r"there must be three classes to draw, got \[0, 1, 2, 0\]",
        ),
        (lambda: figures.gaps(logits, target, 0.0), "smoothing must satisfy 0 <"),
        (lambda: figures.gaps(logits, target[:1], 0.1), "logits and target must have"),
        (lambda: figures.floor(2.0, 0.3), "num_classes must be an int .* got 2.0"),
        (lambda: figures.gather(CUBE[None], 0, CUBE[None] * 0), "at most 3 dimensions"),
        (
            lambda: figures.gather(logits, 1, COLUMN[:0]),
            r"not be empty, got shape \(0, 1\)",
        ),
    ],
)
def test_what_cannot_be_drawn(draw: Callable[[], Figure], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw()


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, 1.5, float("nan")])
@pytest.mark.parametrize(
    "draw",
    [
        lambda smoothing: figures.targets(target[0], 5, smoothing),
        lambda smoothing: figures.mix(5, smoothing),
        lambda smoothing: figures.floor(5, smoothing),
        lambda smoothing: figures.weight_flip(5, smoothing),
        lambda smoothing: figures.excess(5, smoothing, 9),
        lambda smoothing: figures.masked(5, smoothing),
        lambda smoothing: figures.gradient(logits[0], target[0], smoothing),
        lambda smoothing: figures.weighted_target(target[0], WEIGHT, smoothing),
        lambda smoothing: figures.loss_terms(logits, target, smoothing),
        lambda smoothing: figures.padding(logits, PADDED, smoothing),
        lambda smoothing: figures.smoothed_pipeline(logits, target, smoothing),
    ],
)
def test_a_smoothing_out_of_range(
    draw: Callable[[float], Figure], smoothing: float
) -> None:
    with pytest.raises(ValueError, match=rf"smoothing < 1, got {smoothing}"):
        draw(smoothing)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: figures.distribution(logits[:0], "p"), r"probs .*\(0, 5\)"),
        (lambda: figures.gradient(logits[0, :0], target[0], 0.3), r"logits .*\(0,\)"),
        (lambda: figures.weighted_target(target[0], WEIGHT[:0], 0), r"weight .*\(0,\)"),
        *(
            (
                lambda draw=draw, rest=rest: draw(logits[:0], target[:0], *rest),
                r"logits .*\(0, 5\)",
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
            r"logits .*\(5, 0\)",
        ),
        (lambda: figures.gather(logits, 1, COLUMN[:0]), r"index .*\(0, 1\)"),
    ],
)
def test_nothing_to_draw(draw: Callable[[], Figure], message: str) -> None:
    with pytest.raises(
        ValueError, match=message.replace(".*", "must not be empty, got shape ")
    ):
        draw()


def test_weights_that_leave_nothing_to_minimise() -> None:
    for weight in (0 * WEIGHT, -WEIGHT, WEIGHT / 0, 2 * WEIGHT - 3):
        with pytest.raises(ValueError, match="must have a positive sum"):
            figures.weighted_target(target[0], weight, 0.3)


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
