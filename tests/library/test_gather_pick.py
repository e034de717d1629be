"""pick: the entry of the true class, and what is refused."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch._subclasses import FakeTensorMode

from label_smoothing import pick

from .inputs import CLASSES, cells, classes, counting, exactly


@given(
    shape=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    data=st.data(),
    seed=st.integers(0, 2**32),
)
def test_pick_reads_the_entry_of_the_class(
    shape: list[int], data: st.DataObject, seed: int
) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    front = dim % len(shape)
    shape[front] += 1  # there is at least one class
    rng = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=rng)
    rest = (*shape[:front], *shape[front + 1 :])
    target = torch.randint(shape[front], rest, generator=rng)
    picked = pick(values, target, dim)
    assert picked.shape == rest
    for cell in cells(rest):
        source = (*cell[:front], int(target[cell]), *cell[front:])
        assert picked[cell] == values[source]


def test_pick_looks_for_classes_in_dimension_one() -> None:
    target = torch.tensor([[2, 0], [1, 1]])
    values = counting(2, 3, 2)
    assert torch.equal(pick(values, target), torch.tensor([[4, 1], [8, 9]]))


def test_pick_passes_the_gradient_to_the_picked_entry() -> None:
    values = torch.zeros(2, 3, requires_grad=True)
    pick(values, torch.tensor([2, 0])).sum().backward()
    assert torch.equal(values.grad, torch.tensor([[0.0, 0, 1], [1, 0, 0]]))


def test_pick_reads_no_value_on_a_device() -> None:
    # A meta tensor has no values, so a check that reads one would raise.
    values = torch.zeros(2, 3, device="meta")
    target = torch.zeros(2, dtype=torch.long, device="meta")
    assert pick(values, target).shape == (2,)


def test_pick_reads_no_value_where_there_is_none() -> None:
    values, targets = counting(4, 2, 3), torch.tensor([[2, 0], [1, 1], [0, 0], [0, 2]])
    pairs = zip(values, targets, strict=True)
    expected = torch.stack([pick(v, target) for v, target in pairs])
    assert torch.equal(torch.func.vmap(pick)(values, targets), expected)
    with FakeTensorMode():
        assert pick(torch.zeros(2, 3), classes(2)).shape == (2,)


def test_pick_compiles_to_one_graph() -> None:
    torch.compiler.reset()
    values, target = counting(2, 3), torch.tensor([2, 0])
    compiled = torch.compile(pick, backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(values, target), pick(values, target))


def misfit(expected: tuple[int, ...], values: tuple[int, ...], dim: int, got: Any) -> str:
    return (
        f"target must have shape {expected} for input of shape {values} with the classes "
        f"in dimension {dim}, got {got}"
    )


@pytest.mark.parametrize(
    ("values", "target", "dim"),
    [
        ((4, 5), (1,), 1),
        ((4, 5), (3,), 1),
        ((2, 5, 7), (2, 5), 1),  # time steps and classes swapped
    ],
)
def test_pick_refuses_what_gather_answers_wrongly(
    values: tuple[int, ...], target: tuple[int, ...], dim: int
) -> None:
    expected = values[:dim] + values[dim + 1 :]
    message = misfit(expected, values, dim, target)
    with pytest.raises(ValueError, match=exactly(message)):
        pick(torch.zeros(values), classes(*target), dim)
    out = torch.gather(torch.zeros(values), dim, classes(*target).unsqueeze(dim))
    assert out.squeeze(dim).shape == target


@pytest.mark.parametrize(
    ("values", "target", "dim", "error", "message"),
    [
        ((4, 5), classes(6), 1, ValueError, misfit((4,), (4, 5), 1, (6,))),
        ((4, 5), classes(4), 0, ValueError, misfit((5,), (4, 5), 0, (4,))),
        ((4, 5), classes(5), -1, ValueError, misfit((4,), (4, 5), 1, (5,))),
        ((4, 5), classes(4, 1), 1, ValueError, misfit((4,), (4, 5), 1, (4, 1))),
        (
            (4, 5),
            classes(4),
            2,
            IndexError,
            "dim must satisfy -2 <= dim < 2 for input of shape (4, 5), got 2",
        ),
        (
            (5,),
            torch.tensor(0),
            1,
            IndexError,
            "dim must satisfy -1 <= dim < 1 for input of shape (5,), got 1",
        ),
        (
            (4, 5),
            torch.zeros(4),
            1,
            TypeError,
            CLASSES + "torch.float32",
        ),
        (
            (4, 5),
            torch.zeros(4, 5),  # the type is wrong, and so is the shape
            1,
            TypeError,
            CLASSES + "torch.float32",
        ),
        (
            (4, 5),
            [0, 1, 2, 3],
            1,
            TypeError,
            CLASSES + "list",
        ),
        ((4, 5), classes(4), "1", TypeError, "dim must be an int, got str"),
        ((4, 5), classes(4), True, TypeError, "dim must be an int, got bool"),
        (
            (2, 5),
            torch.tensor([0, 5]),
            1,
            IndexError,
            "target[1] is 5, expected 0 <= target < 5",
        ),
        (
            (2, 5),
            torch.tensor([-100, 0]),
            1,
            IndexError,
            "target[0] is -100, expected 0 <= target < 5",
        ),
    ],
)
def test_pick_refuses(
    values: tuple[int, ...],
    target: Tensor,
    dim: int,
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=exactly(message)):
        pick(torch.zeros(values), target, dim)


def test_pick_refuses_what_is_no_tensor() -> None:
    with pytest.raises(TypeError, match=exactly("input must be a tensor, got list")):
        pick([[0.0, 1.0]], torch.tensor([1]))
