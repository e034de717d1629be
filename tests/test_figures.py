import itertools
from collections.abc import Callable, Iterator

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from label_smoothing import dirac_delta, figures, uniform
from label_smoothing.__main__ import logits, target

COLUMN = target[:, None]
CUBE = torch.arange(24).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("draw", "seen"),
    [
        (
            lambda: figures.targets(target[0], 5, 0.3),
            "q' stacks 0.7 of δ on 0.3 of u: 0.76 at class 2, 0.06 at class 0.",
        ),
        (
            lambda: figures.targets(target[2], 2, 0.1, torch.tensor([0.25, 0.75])),
            "u is 0.75 at class 1.",
        ),
        (
            lambda: figures.gradient(logits[0], target[0], 0.3),
            "p is 0.3176, q' is 0.76 and the gradient is -0.4424: "
            "a step against it makes the logit rise. "
            "Elsewhere the gradient is at most 0.1326.",
        ),
        (lambda: figures.gradient(torch.zeros(1), target[2], 0.3), "fall."),
        (lambda: figures.distribution(uniform(1000), "u"), "0.001 and so on."),
        (
            lambda: figures.distribution(dirac_delta(target, 5), "δ"),
            "Row 1: 0, 1, 0, 0, 0",
        ),
        (lambda: figures.mix(5, 0.3), "At ε = 0.3 they stand at 0.76 and 0.06."),
        (
            lambda: figures.loss_terms(logits, target, 0.3),
            "Row 2: 0.9868 from δ plus 0.4949 from u gives 1.482.",
        ),
        (
            lambda: figures.loss_pipeline(logits, target),
            "(2, 1, 0) is filled: -1.1469, -1.2542, -1.4098. "
            "Negated, their mean is the loss, 1.2703.",
        ),
        (
            lambda: figures.gather(torch.arange(4), -1, torch.tensor([3, 0])),
            "[1] lights the line of input along dimension 0. "
            "On it, index[1] = 0 picks input[0] = 0.",
        ),
        (
            lambda: figures.gather(logits, 1, COLUMN, (1, 0)),
            "index[1, 0] = 1 picks input[1, 1] = 0.9.",
        ),
        (
            lambda: figures.gather(CUBE, 0, torch.ones(1, 2, 3, dtype=torch.int64)),
            "index[0, 1, 2] = 1 picks input[1, 1, 2] = 18.",
        ),
        (lambda: figures.floor(5, 0.3), "floor 0.8838 at the gap 2.5390"),
        (lambda: figures.softmax_twice(5), "stops at 0.9048."),
    ],
)
def test_a_figure_says_what_is_to_be_seen(draw: Callable[[], Figure], seen: str) -> None:
    assert seen in draw().get_label()


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
        (lambda: figures.floor(5, 0.0), "0 < smoothing < 1, got 0.0"),
        (lambda: figures.loss_terms(logits[0], target[0], 0.3), r"got \(5,\) and \(\)"),
        (
            lambda: figures.loss_pipeline(torch.zeros(9, 9), torch.zeros(9).long()),
            "at most 8 by 8 to draw, got 9 by 9",
        ),
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


@pytest.mark.parametrize("cell", [(3, 0), (0,), (-1, 0)])
def test_a_cell_that_is_none(cell: tuple[int, ...]) -> None:
    with pytest.raises(IndexError, match=r"cell must be a cell of index, shape \(3, 1\)"):
        figures.gather(logits, 1, COLUMN, cell)


def test_bars_are_as_high_as_the_probabilities() -> None:
    figure = figures.gradient(logits[0], target[0], 0.3)
    p = logits[0].softmax(0)
    q = torch.tensor([0.06, 0.06, 0.76, 0.06, 0.06])
    for ax, expected in zip(figure.axes, (p, q, p - q), strict=True):
        drawn = torch.tensor([float(bar.get_height()) for bar in ax.patches])
        torch.testing.assert_close(drawn, expected)


def test_gather_fills_the_cell_that_is_picked() -> None:
    (ax,) = figures.gather(logits, 1, COLUMN, (1, 0)).axes
    white = [text.get_text() for text in ax.texts if text.get_color() == figures.PAPER]
    assert white == ["0.9", "0.9"]  # once in input, once in out


def test_figures_leave_the_reader_s_style_alone() -> None:
    before = dict(plt.rcParams)
    figures.mix(5, 0.3)
    assert dict(plt.rcParams) == before


def luminance(colour: str) -> float:
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in to_rgb(colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def pairs() -> Iterator[tuple[str, str]]:
    for colour in (*figures.COLOURS.values(), figures.INK, figures.MUTED):
        yield colour, figures.PAPER
        yield figures.DARK[colour], figures.DARK[figures.PAPER]


@pytest.mark.parametrize(("colour", "ground"), list(pairs()))
def test_text_can_be_read_on_its_ground(colour: str, ground: str) -> None:
    low, high = sorted((luminance(colour), luminance(ground)))
    assert (high + 0.05) / (low + 0.05) >= 4.5  # WCAG 2.2, level AA


# Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB.
SIGHT = {
    "full": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def seen(colour: str, sight: str) -> torch.Tensor:
    """Return the colour in CIE L*a*b*, as that eye sees it."""
    rgb = torch.tensor(to_rgb(colour), dtype=torch.float64)
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = (torch.tensor(SIGHT[sight], dtype=torch.float64) @ linear).clamp(0, 1)
    to_xyz = torch.tensor(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]],
        dtype=torch.float64,
    )
    x = (to_xyz @ linear) / torch.tensor([0.9505, 1, 1.089], dtype=torch.float64)
    f = torch.where(x > 0.008856, x ** (1 / 3), 7.787 * x + 16 / 116)
    return torch.stack((116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])))


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("dark", [False, True])
def test_the_four_colours_differ_for_every_eye(sight: str, *, dark: bool) -> None:
    palette = [figures.DARK[c] if dark else c for c in figures.COLOURS.values()]
    for one, other in itertools.combinations(palette, 2):
        distance = torch.linalg.vector_norm(seen(one, sight) - seen(other, sight))
        assert distance > 20, (one, other)
