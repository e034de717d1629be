"""What is drawn of our own measurements."""

from collections.abc import Callable

import pytest
from matplotlib.figure import Figure
from measured.drawings import dots, growth, memory, times

SECONDS = (("floor", 1e-9), ("ours", 1.5e-9), ("compiled", 3e-9), ("torch", 6e-9))
SIZES = [
    {"shape": (2, k), "seconds": {n: (k * s, k * s / 1.2, k * s * 2) for n, s in SECONDS}}
    for k in (100, 1000, 4000)
]
TIMED = {"shape": (2, 10), "seconds": {"floor": [2, 1, 3], "ours": [3, 2, 4]}}
ONE_ROW = {"shape": (1, 10), "seconds": {"floor": [5, 4, 6]}}
SHARES = {
    "10, float32": {"forward": 1.1, "both": 1.03},
    "1024 × 1000, float32": {"forward": 1.04, "both": 0.5},
    "4 × 21 × 512 × 512, float32, channels last": {"forward": 0.2, "both": 0.3},
}
CASES = {
    "dots": lambda: dots(SHARES),
    "times": lambda: times(SIZES[:2], ["compiled", "ours", "torch"]),
    "times_of_torch": lambda: times(SIZES[:1], ["ours"], "torch"),
    "growth": lambda: growth(SIZES, dim=1),
    "memory": lambda: memory({"compiled": 2.0, "ours": 1.0, "torch": 3.0}),
}


# As in tests/figures: a figure that took the reader's settings for ours would be red.
@pytest.mark.mpl_image_compare(
    baseline_dir="pictures",
    style=["default", {"figure.facecolor": "red", "text.color": "red"}],
    savefig_kwargs={"dpi": 50},
    tolerance=0.1,
)
@pytest.mark.parametrize("draw", CASES.values(), ids=CASES)
def test_picture(draw: Callable[[], Figure]) -> Figure:
    return draw()


@pytest.mark.parametrize(
    ("draw", "seen"),
    [
        (
            lambda: times([TIMED, TIMED], ["ours"]),
            "one torch.exp. 2 × 10: label_smoothing.cross_entropy 1.50; 2 × 10: label",
        ),
        (lambda: times([TIMED], ["floor"], "ours"), "torch.exp 0.67."),
        (
            lambda: growth([ONE_ROW, TIMED, TIMED | {"shape": (4, 11)}], 0),
            "against N, from 1 to 4, with K = 11. torch.exp takes 2 s.",
        ),
        (
            lambda: growth([TIMED, TIMED | {"shape": (2, 20)}], 1),
            "against K, from 10 to 20, with N = 2.",
        ),
        (lambda: memory({"ours": 1, "torch": 3}), "F.cross_entropy 3.00."),
        (
            lambda: dots(SHARES),
            "of PyTorch's time. 10, float32: forward 1.10, both 1.03; 1024 × 1000, float",
        ),
    ],
)
def test_a_figure_says_what_is_to_be_seen(draw: Callable[[], Figure], seen: str) -> None:
    assert seen in draw().get_label()
