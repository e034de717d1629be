"""gather, three times over, against torch.gather, and what each of them refuses."""

import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from label_smoothing import explain_gather, gather_reference, pick
from label_smoothing.gather import GatherExplanation

from .inputs import cells, classes, counting, exactly

ROW = re.compile(r"out\[([^][]*)\] = input\[(.*)\] = input\[([^][]*)\] = (\S+)")
NOTE = re.compile(
    r"note: index has (\d+) of (\d+) along dimension (\d+), so out has no more: "
    r"gather truncates, it does not broadcast"
)

Call = tuple[Tensor, int, Tensor]


def outcome(function: Any, call: Call) -> Tensor | None:
    try:
        return function(*call)
    except (TypeError, ValueError, IndexError, RuntimeError):
        return None


# torch 2.6 takes no int32.
INT32 = outcome(torch.gather, (counting(1), 0, classes(1).int())) is not None
INDEX_DTYPES = (torch.int64, torch.int32) if INT32 else (torch.int64,)


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(", "))


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """Every kind of call that gather takes, with 1 to 4 dimensions."""
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    dim = draw(st.integers(-len(shape), len(shape) - 1))
    size = [draw(st.integers(0, n) | st.just(n)) for n in shape]
    size[dim] = draw(st.integers(0, 6))
    rng = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    index = torch.randint(shape[dim], size, generator=rng)
    index = index.to(draw(st.sampled_from(INDEX_DTYPES)))
    return torch.randn(shape, generator=rng, dtype=torch.float64), dim, index


# --- values


@given(call=calls())
def test_reference_and_explanation_are_gather(call: Call) -> None:
    expected = torch.gather(*call)
    for out in (gather_reference(*call), explain_gather(*call).out):
        assert out.dtype == expected.dtype
        assert out.shape == expected.shape
        assert torch.equal(out, expected)


@given(call=calls())
def test_gradient_of_the_reference_is_that_of_gather(call: Call) -> None:
    input, dim, index = call
    input.requires_grad_()
    out = torch.gather(input, dim, index)
    ways = counting(*out.shape).double() + 1
    (expected,) = torch.autograd.grad(out, input, ways)
    (grad,) = torch.autograd.grad(gather_reference(input, dim, index), input, ways)
    assert_close(grad, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    "dtype", [torch.bool, torch.uint8, torch.int64, torch.float16, torch.complex64]
)
def test_any_dtype_is_kept(dtype: torch.dtype) -> None:
    call = counting(2, 3).to(dtype), 1, torch.tensor([[2, 1], [0, 0]])
    expected = torch.gather(*call)
    for out in (gather_reference(*call), explain_gather(*call).out):
        assert out.dtype == dtype
        assert torch.equal(out, expected)


# --- the table of explain_gather


def rows(text: str) -> list[re.Match[str]]:
    lines = [line for line in text.splitlines() if re.match(r"out\[[^a-z]*\]", line)]
    found = [ROW.fullmatch(line) for line in lines]
    assert None not in found
    return [row for row in found if row]


@given(call=calls())
def test_each_row_tells_the_truth(call: Call) -> None:
    input, dim, index = call
    out = torch.gather(input, dim, index)
    explanation = explain_gather(input, dim, index)
    table = rows(repr(explanation))
    all_cells = cells(index.shape)
    shown = all_cells if len(all_cells) <= 20 else all_cells[:10] + all_cells[-10:]
    assert [numbers(row[1]) for row in table] == shown
    for row in table:
        cell, source = numbers(row[1]), numbers(row[3])
        assert explanation.source(cell) == source
        assert explanation.row(cell) == row[0]
        assert input[source] == out[cell]
        assert float(row[4]) == pytest.approx(out[cell].item(), rel=5e-4, abs=5e-5)
        # the middle names the entry of index to look up, and stands for the same cell
        before, after = row[2].split(f"index[{row[1]}]")
        assert numbers(f"{before}{int(index[cell])}{after}") == source
        assert before.count(",") == dim % input.dim()


@given(call=calls())
def test_notes_say_where_gather_truncates(call: Call) -> None:
    input, dim, index = call
    notes = [line for line in repr(explain_gather(*call)).splitlines() if "note" in line]
    found = [NOTE.fullmatch(note) for note in notes]
    assert None not in found
    assert [tuple(map(int, note.groups())) for note in found if note] == [
        (index.shape[d], input.shape[d], d)
        for d in range(input.dim())
        if d != dim % input.dim() and index.shape[d] < input.shape[d]
    ]


def test_table_in_full() -> None:
    explanation = explain_gather(counting(3, 4) / 8, -1, torch.tensor([[2, 0], [3, 3]]))
    assert explanation.dim == 1
    assert repr(explanation) == (
        "gather along dim=1: input (3, 4) index (2, 2)\n"
        "out[i, j] = input[i, index[i, j]]\n"
        "out[0, 0] = input[0, index[0, 0]] = input[0, 2] = 0.2500\n"
        "out[0, 1] = input[0, index[0, 1]] = input[0, 0] = 0.0000\n"
        "out[1, 0] = input[1, index[1, 0]] = input[1, 3] = 0.8750\n"
        "out[1, 1] = input[1, index[1, 1]] = input[1, 3] = 0.8750\n"
        "note: index has 2 of 3 along dimension 0, so out has no more: "
        "gather truncates, it does not broadcast"
    )


@pytest.mark.parametrize(
    ("ndim", "dim", "formula"),
    [
        (1, 0, "out[i] = input[index[i]]"),
        (2, 0, "out[i, j] = input[index[i, j], j]"),
        (2, 1, "out[i, j] = input[i, index[i, j]]"),
        (3, 0, "out[i, j, k] = input[index[i, j, k], j, k]"),
        (3, 1, "out[i, j, k] = input[i, index[i, j, k], k]"),
        (3, -1, "out[i, j, k] = input[i, j, index[i, j, k]]"),
        (4, -3, "out[i, j, k, l] = input[i, index[i, j, k, l], k, l]"),
        (
            6,
            5,
            "out[i, j, k, l, m, n] = input[i, j, k, l, m, index[i, j, k, l, m, n]]",
        ),
        (
            7,
            1,
            "out[i0, i1, i2, i3, i4, i5, i6] = "
            "input[i0, index[i0, i1, i2, i3, i4, i5, i6], i2, i3, i4, i5, i6]",
        ),
    ],
)
def test_formula(ndim: int, dim: int, formula: str) -> None:
    ones = [1] * ndim
    explanation = explain_gather(torch.ones(ones), dim, classes(*ones))
    assert explanation.formula == formula
    assert repr(explanation).splitlines()[1] == formula


@pytest.mark.parametrize(
    ("n", "more"), [(20, None), (21, "... 1 more ..."), (10_000, "... 9980 more ...")]
)
def test_long_table_is_shortened(n: int, more: str | None) -> None:
    lines = repr(explain_gather(counting(n, 1), 0, counting(n, 1))).splitlines()
    first = [numbers(row[1])[0] for row in rows("\n".join(lines[2:12]))]
    last = [numbers(row[1])[0] for row in rows("\n".join(lines[-10:]))]
    assert first == list(range(10))
    assert last == list(range(n - 10, n))
    assert lines[12:-10] == ([] if more is None else [more])


def test_empty_table_has_a_head_only() -> None:
    assert repr(explain_gather(counting(2), 0, classes(0))) == (
        "gather along dim=0: input (2,) index (0,)\nout[i] = input[index[i]]"
    )


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (12, "12"),
        (True, "True"),
        (-1.14688, "-1.1469"),
        (1 + 2j, "(1+2j)"),
        (1 / 3 - 2e-7j, "(0.3333-2e-07j)"),
        (-2e9j, "(-0-2e+09j)"),
        (0.0, "0.0000"),
        (1e-4, "0.0001"),
        (-99e-6, "-9.9e-05"),
        (1e-9, "1e-09"),
        (123456.75, "123456.7500"),
        (999_999.5, "999999.5000"),
        (1e6, "1e+06"),
        (-1e20, "-1e+20"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_value_in_the_table(value: Any, printed: str) -> None:
    line = "out[0] = input[index[0]] = input[0] = "
    text = repr(explain_gather(torch.tensor([value]), 0, classes(1)))
    assert text.splitlines()[2] == line + printed


@pytest.mark.parametrize(
    "cell", [(-1, -1), (0, -1), (2, 0), (0, 1), (0,), (0, 0, 0), (), (0.5, 0)]
)
def test_cell_that_there_is_none_of_is_refused(cell: tuple[int, ...]) -> None:
    explanation = explain_gather(counting(2, 3), 1, torch.tensor([[2], [0]]))
    message = f"cell must be a cell of index, shape (2, 1), got {cell}"
    if any(i < 0 for i in cell):
        message += "; gather does not count from the end"
    for lookup in (explanation.source, explanation.row):
        with pytest.raises(IndexError, match=exactly(message)):
            lookup(cell)


def test_explanation_made_directly_is_the_same() -> None:
    call = counting(2, 3), -1, torch.tensor([[2], [0]])
    explanation = GatherExplanation(*call)
    assert explanation.dim == 1
    assert repr(explanation) == repr(explain_gather(*call))


def test_explanations_can_be_compared() -> None:
    call = counting(3), 0, counting(2)
    explanation = explain_gather(*call)
    assert explanation == explanation
    assert explanation != explain_gather(*call)  # as tensors, whose == is no bool


# --- errors


NOT_LONGER = "index must not be longer than input, except along dim="
AS_MANY = "index must have as many dimensions as input: input has "
WRONG_CALLS = [
    (([[1, 2]], 1, classes(1, 1)), TypeError, "input must be a tensor, got list"),
    ((counting(2, 3), "1", classes(2, 1)), TypeError, "dim must be an int, got str"),
    ((counting(2, 3), 1.0, classes(2, 1)), TypeError, "dim must be an int, got float"),
    ((counting(2, 3), True, classes(2, 1)), TypeError, "dim must be an int, got bool"),
    (
        (counting(2, 3), 1, [[0], [0]]),
        TypeError,
        "index must have dtype torch.int64 or torch.int32, got list",
    ),
    (
        (counting(2, 3), 2, classes(2, 0)),
        IndexError,
        "dim must satisfy -2 <= dim < 2 for input of shape (2, 3), got 2",
    ),
    (
        (counting(2, 3), 2, classes(2, 1)),
        IndexError,
        "dim must satisfy -2 <= dim < 2 for input of shape (2, 3), got 2",
    ),
    (
        (counting(2, 3), 7, classes(2, 1)),
        IndexError,
        "dim must satisfy -2 <= dim < 2 for input of shape (2, 3), got 7",
    ),
    (
        (counting(2, 3), -3, classes(2, 1)),
        IndexError,
        "dim must satisfy -2 <= dim < 2 for input of shape (2, 3), got -3",
    ),
    (
        (counting(2, 3), 1, torch.zeros(2, 1)),
        TypeError,
        "index must have dtype torch.int64 or torch.int32, got torch.float32",
    ),
    (
        (counting(2, 3), 1, torch.zeros(2, 1, dtype=torch.bool)),
        TypeError,
        "index must have dtype torch.int64 or torch.int32, got torch.bool",
    ),
    (
        (counting(2, 3), 1, torch.zeros(2, 1, dtype=torch.uint8)),
        TypeError,
        "index must have dtype torch.int64 or torch.int32, got torch.uint8",
    ),
    (
        (counting(2, 3), 1, classes(2)),
        ValueError,
        AS_MANY + "2, shape (2, 3); index has 1, shape (2,)",
    ),
    (
        (counting(2), 0, classes(2, 1)),
        ValueError,
        AS_MANY + "1, shape (2,); index has 2, shape (2, 1)",
    ),
    (
        (counting(2, 3), 1, classes(4, 3)),
        ValueError,
        NOT_LONGER + "1: along dimension 0 index has 4 and input has 2",
    ),
    (
        (counting(2, 3, 4), -2, classes(2, 9, 5)),
        ValueError,
        NOT_LONGER + "1: along dimension 2 index has 5 and input has 4",
    ),
    (
        (counting(2, 3), 1, torch.tensor([[0, 1], [3, 0]])),
        IndexError,
        "index[1, 0] is 3, expected 0 <= index < 3, the size of input along dim=1",
    ),
    (
        (counting(2, 3), 0, torch.tensor([[0, 1, 2]])),
        IndexError,
        "index[0, 2] is 2, expected 0 <= index < 2, the size of input along dim=0",
    ),
    (
        (counting(2, 3), 1, torch.tensor([[0, 9], [3, 0]])),  # the first is named
        IndexError,
        "index[0, 1] is 9, expected 0 <= index < 3, the size of input along dim=1",
    ),
    (
        (counting(3), 0, torch.tensor([0, -1], dtype=torch.int32)),
        IndexError,
        "index[1] is -1, expected 0 <= index < 3, the size of input along dim=0; "
        "gather does not count from the end",
    ),
    (
        (counting(0), 0, classes(1)),
        IndexError,
        "index[0] is 0, expected 0 <= index < 0, the size of input along dim=0",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG_CALLS)
def test_wrong_call_is_refused(call: Call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=exactly(message)):
        gather_reference(*call)
    with pytest.raises(error, match=exactly(message)):
        explain_gather(*call)
    with pytest.raises(error, match=exactly(message)):
        GatherExplanation(*call)
    with pytest.raises((RuntimeError, IndexError, TypeError)):
        torch.gather(*call)


@given(
    shape=st.lists(st.integers(0, 3), min_size=1, max_size=3),
    other=st.lists(st.integers(0, 3), min_size=1, max_size=3),
    dim=st.integers(-4, 3),
    values=st.sampled_from(((0, 1), (0, 2), (0, 3), (-1, 2))),
    dtype=st.sampled_from((*INDEX_DTYPES, torch.int16, torch.float32)),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
def test_what_torch_takes_is_taken_and_nothing_else(
    shape: list[int],
    other: list[int],
    dim: int,
    values: tuple[int, int],
    dtype: torch.dtype,
    seed: int,
    data: st.DataObject,
) -> None:
    rng = torch.Generator().manual_seed(seed)
    size = data.draw(st.sampled_from((shape, other)))
    index = torch.randint(*values, size, generator=rng).to(dtype)
    call = torch.randn(shape, generator=rng), dim, index
    expected = outcome(torch.gather, call)
    reference = outcome(gather_reference, call)
    explanation = outcome(explain_gather, call)
    if expected is None:
        assert reference is None
        assert explanation is None
    else:
        assert reference is not None
        assert explanation is not None
        assert torch.equal(reference, expected)
        assert torch.equal(explanation.out, expected)
        assert repr(explanation)


def test_dim_may_be_an_integer_of_numpy() -> None:
    call = counting(2, 3), np.int64(-1), torch.tensor([[2], [0]])
    expected = torch.tensor([[2], [3]])
    assert torch.equal(gather_reference(*call), expected)
    assert torch.equal(explain_gather(*call).out, expected)
    assert torch.equal(pick(call[0], call[2].squeeze(1), np.int64(-1)), expected[:, 0])


def test_input_without_dimensions_is_refused_though_torch_takes_it() -> None:
    call = torch.tensor(7), 0, torch.tensor(0)
    message = exactly("input must have at least one dimension, got shape ()")
    for function in (gather_reference, explain_gather):
        with pytest.raises(ValueError, match=message):
            function(*call)
    with pytest.raises(ValueError, match=message):
        pick(torch.tensor(7), torch.tensor(0), 0)
    assert torch.gather(*call) == 7


def test_index_without_dimensions_is_refused_though_torch_takes_it() -> None:
    call = torch.tensor([7]), 0, torch.tensor(0)
    message = AS_MANY + "1, shape (1,); index has 0, shape ()"
    for function in (gather_reference, explain_gather):
        with pytest.raises(ValueError, match=exactly(message)):
            function(*call)
    assert torch.gather(*call) == 7


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize(
    "index",
    [classes(0), classes(0, 4), classes(9, 0), classes(3, 0, 5), torch.zeros(2, 0)],
)
def test_empty_index_may_be_any(index: Tensor, dim: int) -> None:
    input = torch.ones(2, 3, requires_grad=True)
    for out in (
        torch.gather(input, dim, index),
        gather_reference(input, dim, index),
        explain_gather(input, dim, index).out,
    ):
        assert out.shape == index.shape
        assert out.dtype == input.dtype
        (grad,) = torch.autograd.grad(out.sum(), input)
        assert torch.equal(grad, torch.zeros(2, 3))
    head = (
        f"gather along dim={dim % 2}: input (2, 3) index {tuple(index.shape)}\nout[i, j]"
    )
    assert repr(explain_gather(input, dim, index)).startswith(head)
