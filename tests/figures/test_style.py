"""Colours that can be read, and settings that stay the reader's."""

import ast
import inspect
import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import to_rgb

from label_smoothing import figures

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_palette_shows_each_colour_once() -> None:
    (ax,) = figures.palette().axes
    shown = [patch.get_facecolor()[:3] for patch in ax.patches]
    assert shown == [to_rgb(colour) for colour in figures.COLOURS.values()]


def test_figures_leave_the_reader_s_style_alone() -> None:
    before = dict(plt.rcParams)
    figures.mix(5, 0.3)
    assert dict(plt.rcParams) == before


def test_with_our_style_a_figure_is_saved_without_a_ground() -> None:
    with plt.rc_context(figures.STYLE):
        figures.palette().savefig(file := io.BytesIO())
    file.seek(0)
    assert plt.imread(file)[0, 0].tolist()[3:] == [0]


def test_each_figure_tells_what_it_is_called_with() -> None:
    draw = inspect.signature(figures.mix)
    assert list(draw.parameters) == ["num_classes", "smoothing"]
    assert figures.mix.__name__ == "mix"
    assert figures.mix.__doc__


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


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="examples are in the repository only")
def test_every_script_of_the_gallery_shows_its_figures() -> None:
    scripts = sorted(EXAMPLES.glob("*/plot_*.py"))
    assert scripts
    for script in scripts:
        code = ast.parse(script.read_text(encoding="utf-8")).body
        assert ast.unparse(code[-1]) == "plt.show()", script
