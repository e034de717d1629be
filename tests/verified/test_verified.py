"""Plant each mistake once, and see it caught; and see the right thing pass.

The skipped and loosened examples below are such plants: nothing here is skipped.
"""

import pytest

from .conftest import Build

pytestmark = pytest.mark.filterwarnings("default")

LOSS = "LabelSmoothing(0.3)(logits, target)"
CITE = "{cite:p}`knuth1984`\n\n```{bibliography}\n```\n\n"
CODE = "```{testcode}\nprint(0.25)\n```\n\n```{testoutput}\n0.25\n```\n\n"


@pytest.mark.parametrize(
    "page",
    [
        f"The loss is {{num}}`1.3883 := {LOSS}`.",
        "A list: {num}`1.2969, 1.3862, 1.4818 := "
        "LabelSmoothing(0.3, 'none')(logits, target)`.",
        "{num}`.5 := 1 / 2`, {num}`1.2e-5 := 0.6e-5 * 2`, {num}`0.00 := -1e-9 * 1`.",
        "{num}`−1 := 1 - 2`, {num}`inf := math.inf`, {num}`(3, 5) := logits.shape`.",
        CODE + "The input is {given}`0.25 := print(0.25)`.",
        CODE + "The output is {printed}`0.25 := 0.25`.",
        "At ε = {given}`0.3 := * 0.3` the share is {num}`0.06 := 0.2 * 0.3`.",
        "```{drawing} floor(5, 0.3)\nAt ε = {given}`0.3 := , 0.3)`.\n```",
        "```{drawing} floor(5, 0.3)\nFor {printed}`5 := for 5 classes` classes.\n```",
        "{cited}`0.2 := knuth1984: about 0.2%`, {cite:p}`knuth1984`\n\n"
        "```{bibliography}\n```",
        "A float32 of Python 3.11, in 2026: 2.13.0, top-1, Section 7, `dim=1`, $K=5$",
        "## Step 1: words\n\nSee [issue 104776](https://a.b/104776).\n\n1. A list.",
        "````markdown\nAt {num}`0.6 := 2 * 0.3`.\n````\n\nAt {num}`0.6 := 2 * 0.3`.",
        "```console\n$ python -c 'print(1)'\n1\n```",
        "```console\n$ python -m pip install \\\n    torch\n```",
        "```console\n$ anything without an output\n```\n\n```text\nwords\n```",
    ],
)
def test_what_is_tied_passes(build: Build, page: str) -> None:
    assert build(page)[0] == ""


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (f"{{num}}`1.3884 := {LOSS}`", "the page says 1.3884"),
        (f"{{num}}`1.388 3 := {LOSS}`", "the page says"),
        (f"{{num}}`1.3983 := {LOSS}`", "the page says 1.3983"),
        ("{num}`1.3883 := nonsense`", "NameError"),
        ("{num}`1.3883`", "SyntaxError"),
        ("{num}`1, 2 := [1, 2, 2 + 1]`", "the page says 1, 2"),
        ("{num}`inf := 1`", "the page says inf"),
        ("The loss is 1.3883.", "nothing verifies: 1.3883"),
        ("| a |\n|---|\n| 0.5 |", "nothing verifies: 0.5"),
        ("![it falls to 0.5](a.png)", "nothing verifies: 0.5"),
        ("```{drawing} floor(5, 0.3)\nA caption with 0.3.\n```", "nothing verifies: 0.3"),
        (CODE + "{given}`0.26 := 0.26`", "given: this page does not have '0.26'"),
        (CODE + "{given}`0.26 := 0.25`", "the page says 0.26, its tie 0.25"),
        (CODE + "{given}`0.2 := print(0.2`", "does not have 'print(0.2'"),
        (CODE + "{given}`5 := 5)`", "given: this page does not have '5)'"),
        (CODE + "{given}`0.26 := t(0.26)`", "have 't(0.26)'; it has 't(0.25)'"),
        (CODE + "{given}`0.25`", "given: write `0.25 := words around it`"),
        (CODE + "{given}`0.25 := print(`", "given: write"),
        (CODE + "{printed}`0.25 := print(0.25)`", "printed: this page does not have"),
        (CODE + "{given}`0.25 := (0.25, 0.26)`", "its tie (0.25, 0.26)"),
        (CODE + "{given}`0.25, 0.25 := 0.25, 0.25`", "the page says 0.25, 0.25"),
        ("```{testoutput}\n0.27\n```\n{given}`0.27 := 0.27`", "does not have '0.27'"),
        ("{cited}`0.2 := knuth1984: about 0.2%`", "does not cite 'knuth1984'"),
        (CITE + "{cited}`0.2 := knuth1984`", "cited: write `0.2 := words around it`"),
        (CITE + "{cited}`0.3 := knuth1984: about 0.2%`", "the page says 0.3, its tie"),
        (CITE + "{cited}`0.3 := knuth1984: about 0.3%`", "the annote of knuth1984 does"),
        ("{cited}`0.2`", "does not cite ''"),
        # integers
        ("We compared 31 libraries.", "nothing verifies: 31"),
        ("It is 12 % or 3x.", "nothing verifies: 12, 3"),
        ("In 2D, 7 classes.", "nothing verifies: 7;"),
        ("With 1000 classes, 2051 rows.", "nothing verifies: 1000, 2051"),
        ("## For 5 classes", "nothing verifies: 5"),
        ("[5 of 9](https://a.b/)", "nothing verifies: 5, 9;"),
        ("[issue 104777](https://a.b/104776)", "nothing verifies: 104777"),
        ("[at 5.5](https://a.b/)", "nothing verifies: 5.5;"),
        ("{doc}`At 9.92 <index>`", "nothing verifies: 9.92"),
        ("```console\n$ a --b 9.93\n```", "nothing verifies: 9.93"),
        ("```{testcode}\npass  # 27 rows\n```", "in a comment or a string"),
        ("````markdown\nAt 0.06.\n````", "nothing verifies: 0.06"),
        ("```python\nprint(1)\n```", "code that nothing runs"),
        ("```pycon\n>>> 1\n1\n```", "code that nothing runs"),
        ("```\n>>> 1\n1\n```", "code that nothing runs"),
        ("    >>> 1\n    1", "code that nothing runs"),
        (">>> 1 + 1\n3", "nested quotes"),
        (
            "```{doctest}\n>>> 1  # doctest: +SKIP\n2\n```",
            "with options, or that is skipped",
        ),
        (
            "```{testcode}\n:skipif: True\nprint(1)\n```",
            "with options, or that is skipped",
        ),
        ("$\\nonsense$", "in the formula"),
        # numbers in disguise
        ("It takes 2.75ms.", "nothing verifies: 2.75"),
        ("It is .5 or 1e-3.", "nothing verifies: .5, 1e-3"),
        ("`0.123`", "nothing verifies: 0.123"),
        ("$0.123$", "nothing verifies: 0.123"),
        ("$$\n0.123\n$$", "nothing verifies: 0.123"),
        ("[0.123](https://a.b/)", "nothing verifies: 0.123"),
        ("<p>0.123</p>", "nothing verifies: 0.123"),
        ("```text\n0.123\n```", "nothing verifies: 0.123"),
        ("```{toctree}\n:caption: At 0.123\n```", "nothing verifies: 0.123"),
        ("{num}`.5 := []`", "the page says .5"),
        ("{num}`nothing := 1 + 1`", "the page says nothing"),
        ("{num}`0.123 := 0.123`", "computes nothing"),
        ("{num}`1 := logits.foo`", "AttributeError"),
        ("{num}`1 := str(1)`", "raised"),
        ("```text\n0.27\n```\n{given}`0.27 := 0.27`", "does not have '0.27'"),
        ("```{testcode}\npass  # 0.27\n```\n{given}`0.27 := 0.27`", "does not have"),
        ("{num}`1.5e5 := 0.5 + 1`", "the page says 1.5e5"),
        ("$H\\approx9.99$", "nothing verifies: 9.99"),
        ("At 1.2.3/9.99.", "nothing verifies: 9.99"),
        # code in disguise
        ("```py\nprint(1)\n```", "code that nothing runs"),
        ("```Python\nprint(1)\n```", "code that nothing runs"),
        ("```{parsed-literal}\nprint(1)\n```", "code that nothing runs"),
        ("```{literalinclude} conf.py\n```", "code that nothing runs"),
        ("```text\n>>> 1\n1\n```", "that nothing runs"),
        ("```{eval-rst}\nWords::\n\n   print(1)\n```", "code that nothing runs"),
        ("```{eval-rst}\nWords\n>>> 1\n2\n```", "that nothing runs"),
        ("```console\n$ python -c 'print(1)'\n2\n```", "prints '1"),
        ("```console\n$ rm\n2\n```", "which the build does not run"),
        ("```console\n$ cd x\n$ python -c 'print(1)'\n2\n```", "prints '1"),
        ("```console\n$ python -c don't\n2\n```", "No closing quotation"),
        ("```console\n2\n```", "an output without a command"),
        ("```text\nimport torch\n```", "code that nothing runs"),
        ("---\nmystnb:\n  execution_mode: off\n---", "how it is executed"),
        ("```{drawing} floor(5)\n```", "drawing: floor(5) raised TypeError"),
        # tests in disguise
        ("```{doctest}\n>>> 1  #doctest:+SKIP\n2\n```", "with options, or that is"),
        (
            "```{eval-rst}\n>>> 1  # doctest: +SKIP\n2\n```",
            "with options, or that is skipped",
        ),
        ("```{testoutput}\n1\n```", "an output without a snippet"),
        (CODE + "```{testoutput}\n2\n```", "an output without a snippet"),
        ("```{testsetup} *\nx = 1\n```", "a reader does not see"),
        ("```{testcode}\n:hide:\nx = 1\n```", "a reader does not see"),
        (
            "```{testcode}\nprint(1)\n```\n\n"
            "```{testoutput}\n:options: +ELLIPSIS\n...\n```",
            "with options, or that is skipped",
        ),
        (
            "```{doctest}\n:options: +SKIP\n>>> 1\n2\n```",
            "with options, or that is skipped",
        ),
        (
            "```{doctest}\n:pyversion: < 3\n>>> 1\n2\n```",
            "with options, or that is skipped",
        ),
    ],
)
def test_what_is_not_tied_is_caught(build: Build, page: str, message: str) -> None:
    assert message in build(page)[0]


@pytest.mark.parametrize(
    ("page", "failures"),
    [
        ("```{doctest}\n>>> 1 + 1\n2\n```", 0),
        ("```{doctest}\n>>> 1 + 1\n3\n```", 1),
        ("```{doctest}\n>>> print('a', 'b')\na ... b\n```", 1),
        ("```{testcode}\nprint(1)\n```\n\n```{testoutput}\n1\n```", 0),
        ("```{testcode}\nprint(1)\n```\n\n```{testoutput}\n2\n```", 1),
        ("```{testcode}\nprint(1)\n```", 1),
        # A snippet that leans on the one above it could not be pasted alone.
        ("```{testcode}\na = 1\n```\n\n```{testcode}\nb = a\n```", 1),
        ("```{doctest}\n>>> a = 1\n```\n\n```{doctest}\n>>> b = a\n```", 1),
    ],
)
def test_examples_run(build: Build, page: str, failures: int) -> None:
    assert build(page)[0].count("Failed example:") == failures


def test_a_page_that_is_read_in_the_repository(build: Build, tmp_path) -> None:
    def warnings(readme: str) -> str:
        (tmp_path / "README.md").write_text(readme, encoding="utf-8")
        return build("Words.")[0]

    assert warnings("```python\nprint(5)\n```\n\n```text\n5\n```\n\n    a / 2") == ""
    assert warnings("```console\n$ python -c 'print(1)'\n1\n```") == ""
    assert "the code prints '5" in warnings("```python\nprint(5)\n```\n```text\n6\n```")
    assert "prints '1" in warnings("```console\n$ python -c 'print(1)'\n2\n```")
    assert "ZeroDivisionError" in warnings("```python\n1 / 0\n```\n```text\n6\n```")
    assert "nothing verifies: 9.8" in warnings("`it is 9.8`")
    assert "nothing verifies: 9.8" in warnings("<p>9.8</p>")
    assert "nothing verifies: 9" in warnings("<p>Words.</p>\n\n![at 9](a.png)")
    assert "README.md:2: WARNING: numbers" in warnings("# Title\nIt is 5 times as fast.")
    assert "numbers that nothing verifies: 0.5" in warnings("    a = 0.5")
    assert "numbers that nothing verifies: 5" in warnings("| a |\n|---|\n| 5 |")
    assert "a block that nothing runs" in warnings("```text\n6\n```")
    assert "a block that nothing runs" in warnings("```c\nint a;\n```")
    assert "code without an output" in warnings("```python\nprint(5)\n```\n\nWords.")
    assert "code without an output" in warnings("```python\nprint(5)\n```")


def test_a_gallery_script_that_did_not_run_is_caught(build: Build, tmp_path) -> None:
    script = tmp_path / "examples" / "1_a" / "plot_b.py"
    script.parent.mkdir(parents=True)
    script.touch()
    assert "the script left no figure" in build("Words.")[0]
    images = tmp_path / "docs" / "auto_examples" / "1_a" / "images"
    images.mkdir(parents=True)
    (images / "sphx_glr_plot_b_001.svg").touch()
    assert build("Words.")[0] == ""
    script.write_text("# %%\n# .. code-block:: python\n#\n#     undefined\n")
    assert "code in the text" in build("Words.")[0]


DRAW = "from label_smoothing import figures\nfigures.palette();"
SHOWN = {
    "output_type": "display_data",
    "metadata": {},
    "data": {"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'/>"},
}


def says(alt: str) -> dict[str, object]:
    return {"mystnb": {"image": {"alt": alt}}}


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"source": DRAW, "outputs": [SHOWN], "metadata": says("Four colours.")}, ""),
        ({"source": "figure = figures.palette()"}, ""),
        ({"source": "print(1)"}, ""),
        ({"source": "%matplotlib inline"}, ""),
        ({"source": DRAW}, "a cell that draws, without an image"),
        ({"source": f"%matplotlib inline\n{DRAW}"}, "draws, without an image"),
        ({"source": f"a = 1\n{DRAW}"}, "draws, without an image"),
        ({"source": DRAW, "outputs": [SHOWN]}, "an image without an alternative: ''"),
        (
            {"source": DRAW, "outputs": [SHOWN], "metadata": says("a/figure_1.svg")},
            "an image without an alternative: 'a/figure_1.svg'",
        ),
    ],
)
def test_a_notebook_shows_what_it_draws(
    build: Build, cell: dict[str, object], message: str
) -> None:
    warnings = build(cell)[0]
    assert message in warnings
    assert bool(message) == bool(warnings)
