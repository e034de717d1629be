"""What all figures share: the palette, the settings of matplotlib, notes."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

COLOURS = {"δ": "#0b1f66", "u": "#8d6e18", "q'": "#be0eaf", "p": "#20795d"}
INK, MUTED, LINE, PAPER = "#1f2933", "#55616d", "#c3ccd5", "#ffffff"
DARK = {
    COLOURS["δ"]: "#6f8cf5",
    COLOURS["u"]: "#f0b557",
    COLOURS["q'"]: "#f7438c",
    COLOURS["p"]: "#8ff3e2",
    INK: "#e3e8ee",
    MUTED: "#9aa7b4",
    LINE: "#434c56",
    PAPER: "#131416",
}
STYLE: dict[Any, Any] = {
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
    "font.size": 12,
    "mathtext.fontset": "cm",
    "savefig.transparent": True,
    "svg.hashsalt": "label_smoothing",
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}
WIDTH = 6.0  # inches: the text of a figure this narrow can still be read on a phone
TEX = {"δ": r"\delta", "u": "u", "q'": "q'", "p": "p"}

P = ParamSpec("P")


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw with our settings and from plain values, whatever the reader's are."""

    @wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Figure:
        # This loads the backend. A notebook's turns interactive mode on when it loads; in
        # rc_context that would be undone at the end, and later figures would not show.
        plt.draw_if_interactive()  # type: ignore[no-untyped-call]
        with plt.rc_context(STYLE):
            return draw(
                *map(_plain, args),  # type: ignore[arg-type]
                **{name: _plain(value) for name, value in kwargs.items()},  # type: ignore[arg-type]
            )

    return wrapper


def _plain(argument: object) -> object:
    """Return what can be drawn of an argument: of a tensor, its values on the CPU."""
    return argument.detach().cpu() if isinstance(argument, Tensor) else argument


def short(value: float) -> str:
    """Write a number with at most four decimals."""
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def finish(figure: Figure, alt: str) -> Figure:
    """Give the figure its text alternative."""
    figure.set_label(alt)
    return figure


def note(
    ax: Axes,
    text: str,
    point: tuple[float, float],
    offset: tuple[float, float],
    colour: str,
    **options: Any,
) -> None:
    """Write beside a point, at an offset in points of type."""
    ax.annotate(text, point, offset, textcoords="offset points", color=colour, **options)


@styled
def palette() -> Figure:
    """Draw the colour of each symbol.

    Returns
    -------
    matplotlib.figure.Figure
        One swatch for each of δ, u, q' and p.

    Examples
    --------
    >>> from label_smoothing import figures
    >>> figures.palette()
    <Figure size 600x70 with 1 Axes>
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 0.7))
    figure.subplots_adjust(0, 0, 1, 1)
    ax.set_axis_off()
    ax.set(xlim=(0, 4), ylim=(0, 1))
    for n, (symbol, colour) in enumerate(COLOURS.items()):
        ax.add_patch(Rectangle((n + 0.18, 0.2), 0.34, 0.6, fc=colour))
        ax.text(n + 0.6, 0.5, f"${TEX[symbol]}$", color=colour, va="center", fontsize=20)
    return finish(figure, f"The colours of {', '.join(COLOURS)}.")
