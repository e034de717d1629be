"""Cells show the numbers of each step."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from matplotlib.text import Text

from label_smoothing import figures
from label_smoothing.example import logits, target

from .builders import COLUMN, CUBE, LOG_PROBS, PADLESS, ZEROS, four, rectangles, white


def test_the_terms_of_kl_are_written_in_their_cells() -> None:
    (ax,) = figures.kl_terms(ZEROS, PADLESS).axes
    written = [text.get_text() for text in ax.texts if "$" not in text.get_text()]
    assert written[-5:] == ["nan", "-0.0693", "0.0000", "0.0000", "inf"]
    filled = [bar.get_x() for bar in rectangles(ax) if bar.get_facecolor()[3] > 0]
    width = rectangles(ax)[0].get_width()
    assert filled == pytest.approx([0, 4 * width])


def test_the_pipeline_shows_every_step() -> None:
    (ax,) = figures.loss_pipeline(logits, target).axes
    shown = [text.get_text() for text in ax.texts]
    picked = LOG_PROBS[torch.arange(3), target]
    for values in (logits.softmax(1), LOG_PROBS, -picked):
        assert set(four(values)) <= set(shown)
    assert white(ax) == 2 * four(picked)  # in the table, and taken out of it
    assert f"{F.cross_entropy(logits, target):.4f}" in shown


def test_the_smoothed_pipeline_shows_every_step() -> None:
    (ax,) = figures.smoothed_pipeline(logits, target, 0.3).axes
    picked = LOG_PROBS[torch.arange(3), target]
    losses = F.cross_entropy(logits, target, reduction="none", label_smoothing=0.3)
    assert white(ax) == [
        number
        for column in (picked, -picked, -LOG_PROBS.mean(1), losses)
        for number in four(column)
    ]
    shown = [text.get_text() for text in ax.texts]
    assert set(four(LOG_PROBS)) <= set(shown)
    assert f"{losses.mean():.4f}" in shown
    # From left to right it is an equation.
    parts = {
        text.get_text(): text.get_position()[0]
        for text in ax.texts
        if text.get_text() in ("0.7 ×", "+ 0.3 ×", "=")
    }
    columns = [four(column)[0] for column in (-picked, -LOG_PROBS.mean(1), losses)]
    for text in ax.texts:
        if text.get_text() in columns:
            parts[text.get_text()] = text.get_position()[0]
    order = ["0.7 ×", columns[0], "+ 0.3 ×", columns[1], "=", columns[2]]
    assert sorted(parts, key=lambda part: parts[part]) == order


def test_softmax_along_both_dimensions_is_shown() -> None:
    labels = torch.tensor([2, 4, 0])
    (ax,) = figures.class_dimension(logits.T, labels).axes
    shown = [text.get_text() for text in ax.texts]
    right, wrong = logits.T.softmax(0), logits.T.softmax(1)
    for probs in (right, wrong):
        assert set(four(probs)) <= set(shown)
        assert set(four(probs.sum(0))) <= set(shown)
    steps = torch.arange(3)
    assert white(ax) == [  # cells are drawn row by row
        number
        for probs in (right, wrong)
        for number in four(probs[labels, steps][labels.argsort()])
    ]


def test_gather_fills_the_cell_that_is_picked() -> None:
    (ax,) = figures.gather(logits, 1, COLUMN, (1, 0)).axes
    assert white(ax) == ["0.9", "0.9"]  # once in input, once in out


@pytest.mark.parametrize(
    ("input", "value"),
    [
        (logits, "0.9"),
        (LOG_PROBS, f"{LOG_PROBS[1, 1]:.4f}"),
        (torch.full((3, 5), 27.0023), "27.0023"),
        (torch.full((3, 5), 26.9977), "26.9977"),
        (torch.full((3, 5), 1.25), "1.2500"),
        (torch.arange(15).reshape(3, 5) * 1000, "6000"),
        (torch.tensor([[0.1234, 0.5]]).expand(3, 2), "0.5000"),
        (logits + 1j / 3, "0.9+0.3333j"),
    ],
)
def test_the_formula_of_gather_ends_in_what_its_cells_show(
    input: torch.Tensor, value: str
) -> None:
    (ax,) = figures.gather(input, 1, torch.ones(3, 1).long(), (1, 0)).axes
    assert white(ax) == [value, value]
    assert ax.texts[-1].get_text() == f"= input[1, 1] = {value}"


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.gather(logits, 1, COLUMN),
        lambda: figures.gather(LOG_PROBS, 1, COLUMN),
        lambda: figures.gather(logits + 1j / 3, 1, COLUMN),
        lambda: figures.gather(-12 * torch.ones(3, 8).exp(), 1, COLUMN),
        lambda: figures.gather(CUBE / 7, 1, torch.ones(2, 2, 4).long()),
        lambda: figures.gather(CUBE * 1000, 0, torch.zeros(1, 3, 4).long()),
        lambda: figures.gather(torch.arange(8) / 7, 0, target),
        lambda: figures.loss_pipeline(20 * logits, target),
        lambda: figures.loss_pipeline(torch.eye(8) * 14, torch.arange(8)),
        lambda: figures.smoothed_pipeline(torch.eye(8) * 14, torch.arange(8), 0.3),
        lambda: figures.class_dimension(torch.eye(8, 4), torch.arange(4)),
    ],
)
def test_numbers_fit_their_cells(draw: Callable[[], Figure]) -> None:
    figure = draw()
    (ax,) = figure.axes
    figure.draw_without_rendering()
    numbers: list[Text] = [t for t in ax.texts if t.get_text().strip("j")[-1:].isdigit()]
    cells = {bar.get_window_extent().frozen() for bar in rectangles(ax)}
    held = 0
    for number in numbers:
        text = number.get_window_extent()
        x, y = (text.x0 + text.x1) / 2, (text.y0 + text.y1) / 2
        for cell in cells:
            if cell.contains(x, y):
                held += 1
                assert cell.x0 < text.x0, number
                assert text.x1 < cell.x1, number
    assert held >= 15
    assert all(
        text.get_window_extent().x0 >= 0 and text.get_window_extent().x1 <= figure.bbox.x1
        for text in ax.texts
    )


def test_the_three_tables_of_gather_have_cells_of_one_width() -> None:
    (ax,) = figures.gather(LOG_PROBS, 1, COLUMN).axes
    widths = {round(cell.get_width(), 6) for cell in rectangles(ax)}
    assert len(widths) == 1
    assert widths != {1.0}
    assert {text.get_fontsize() for text in ax.texts} == {12}  # none had to shrink


@pytest.mark.parametrize(("columns", "in_a_row"), [(3, True), (4, False)])
def test_tables_are_in_a_row_if_their_type_need_not_shrink(
    columns: int, *, in_a_row: bool
) -> None:
    input = torch.full((3, columns), 1000)
    (ax,) = figures.gather(input, 1, torch.zeros(2, 3).long()).axes
    names = [text for text in ax.texts if text.get_text() in ("index", "input", "out")]
    assert (len({text.get_position()[1] for text in names}) == 1) == in_a_row
