"""What ``nox -s rosetta`` asks of a loss, and what it has recorded.

No library is needed here: the losses are built in the test, each with a known answer.
"""

import zipfile
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from measured import results, rows
from measured.rosetta import __main__ as rosetta
from measured.rosetta import adapters, losses, questions
from measured.rosetta.losses import LIBRARIES, PADDED, Library
from torch import Tensor

WHEELS = {row["name"]: row for row in rows.read(losses.HERE / "wheels.csv")}
ROWS = [row for row in results.LOSSES if "error" not in row]
of_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
cross_entropy = partial(F.cross_entropy, label_smoothing=0.1)


def probabilities(z: Tensor, y: Tensor, smoothing: float, convention: str) -> Tensor:
    """Build q' from the definition of a convention; class 0 is the padding."""
    classes = z.shape[1]
    if convention == "normalised":
        smoothing /= 1 + smoothing
    divisors = {"others": classes - 1, PADDED: classes - 2, "half": 2, "swap": 1}
    q = torch.full_like(z, smoothing / divisors.get(convention, classes))
    if convention == PADDED:
        q[:, 0] = 0
    q = q.scatter(1, y[:, None], 0)
    return q.scatter(1, y[:, None], 1 - q.sum(1, keepdim=True))


def known(smoothing: float, convention: str, **options: Any) -> Callable[..., Tensor]:
    """Return a loss that means this by ε."""
    return lambda z, y: F.cross_entropy(
        z, probabilities(z, y, smoothing, convention), **options
    )


def torch_like(smoothing: float, **options: Any) -> Callable[..., Tensor]:
    return partial(F.cross_entropy, label_smoothing=smoothing, **options)


# The record.


def faults(row: rows.Row) -> list[str]:
    """Say in what a row contradicts itself: each target follows from the convention."""
    convention, found = str(losses.convention(row)), []
    if (convention in losses.BINARY) != LIBRARIES[row["name"]].two_classes:
        found.append(f"{convention} is not for so many classes")
    for classes, q in row["targets"].items():
        z = torch.zeros(1, int(classes), dtype=torch.float64)
        y = torch.tensor([losses.TRUE % int(classes)])
        expected = probabilities(z, y, results.rosetta["smoothing"], convention)[0]
        if q != losses.rounded(expected.tolist()):
            found.append(f"K = {classes}: the target is not {convention}")
    return found


def test_the_record_has_the_libraries_of_the_list() -> None:
    listed = [(v.name, v.package, v.path) for v in LIBRARIES.values()]
    recorded = [(row["name"], row["package"], row["path"]) for row in results.LOSSES]
    assert recorded == listed
    assert results.rosetta["smoothing"] == losses.SMOOTHING
    assert results.rosetta["classes"] == list(questions.CLASSES)


@of_row
def test_a_row_is_of_the_release_that_is_asked_for(row: rows.Row) -> None:
    files = [WHEELS[name] for name in LIBRARIES[row["name"]].downloads]
    assert all(len(file["sha256"]) == 64 for file in files)
    assert bool(files) == bool(row["package"])
    for file in files[:1]:
        asked, name = row["package"].replace("==", "-"), file["file"]
        assert name.replace("_", "-").lower().startswith(asked.replace("_", "-").lower())


@of_row
def test_a_row_agrees_with_its_convention(row: rows.Row) -> None:
    sizes = [2] if LIBRARIES[row["name"]].two_classes else results.rosetta["classes"]
    assert list(row["targets"]) == [str(size) for size in sizes]
    assert faults(row) == []


@of_row
def test_a_row_written_by_hand_is_found_out(row: rows.Row) -> None:
    for classes, q in row["targets"].items():
        for k, value in enumerate(q):
            wrong = [*q[:k], round(value + 1e-4, 6), *q[k + 1 :]]
            assert faults(row | {"targets": row["targets"] | {classes: wrong}})


def test_every_requirement_has_a_version() -> None:
    pinned = {line.partition("==")[0] for line in rosetta.PINS.read_text().splitlines()}
    for library in LIBRARIES.values():
        assert "==" in library.package or library.name == "PyTorch"
        assert pinned.issuperset(library.needs)
        assert library.name in adapters.CALLS or library.like in adapters.CALLS
        assert adapters.STAND_INS.keys() >= library.stubs.keys()


# What is asked of a loss.


MANY = ("uniform", "others", PADDED, "normalised")
EACH = [*((name, k) for name in MANY for k in (5, 10)), ("half", 2), ("swap", 2)]


@pytest.mark.parametrize(("convention", "classes"), EACH)
def test_a_convention_gets_its_name(convention: str, classes: int) -> None:
    z, y = torch.zeros(1, classes, dtype=torch.float64), torch.tensor([1])
    q = probabilities(z, y, 0.1, convention)[0].tolist()
    assert losses.convention_of(q, 1) == convention


@pytest.mark.parametrize(
    "q",
    [
        [0.03, 0.03, 0.88, 0.03, 0.03],
        [0.01, 0.03, 0.92, 0.02, 0.02],
        [0.0, 0.025, 0.9, 0.025, 0.05],
        [0.02, 0.02, 0.94, 0.02, 0.0],
    ],
)
def test_another_target_has_no_name(q: list[float]) -> None:
    assert losses.convention_of(q, 2).startswith("none of these")


def test_what_to_write_is_tried() -> None:
    y = torch.tensor([2, 1])
    for convention, classes, value in (
        ("others", 5, 0.08), (PADDED, 5, 0.075), ("swap", 2, 0.05)
    ):  # fmt: skip
        assert round(losses.to_write(classes, convention), 6) == value
        make = partial(known, convention=convention)
        questions.try_to_write(make, classes, convention, y % classes)
    with pytest.raises(questions.RowError, match=r"with 0\.08\d* the target is"):
        questions.try_to_write(torch_like, 5, "others", y)


def test_the_form_is_told_by_the_value() -> None:
    def divergence(z: Tensor, y: Tensor) -> Tensor:
        q = probabilities(z, y, 0.1, PADDED)
        return F.kl_div(z.log_softmax(1), q, reduction="sum")

    assert questions.form(cross_entropy, 5) == "CE"
    assert questions.form(partial(cross_entropy, reduction="none"), 5) == "CE"
    assert questions.form(divergence, 5) == "KL"
    assert questions.form(lambda z, y: cross_entropy(z, y) + 1, 5) == "other"


def of_rows(weigh: Callable[..., Tensor]) -> Callable[..., Any]:
    """Return a loss whose weights do what is given to the rows."""

    def loss(e: float, w: Tensor, z: Tensor, y: Tensor) -> Tensor:
        q = probabilities(z, y, e, "uniform")
        each, hard = (F.cross_entropy(z, t, reduction="none") for t in (q, y))
        return weigh(w, y, q, each, hard).mean()

    ones = torch.ones(5, dtype=torch.float64)
    return lambda e, weight=ones, **options: partial(loss, e, weight)


WEIGHTS: dict[str, Callable[..., Any]] = {
    "bend the target": torch_like,
    "scale the row": of_rows(lambda w, y, q, each, hard: w[y] * each),
    "scale the row by their mean under q'": of_rows(
        lambda w, y, q, each, hard: (w * q).sum(1) * each
    ),
    "weigh the true class alone": of_rows(
        lambda w, y, q, each, hard: each + 0.9 * (w[y] - 1) * hard
    ),
    "do nothing": of_rows(lambda w, y, q, each, hard: each),
    "other": of_rows(lambda w, y, q, each, hard: each + w.sum() * hard),
    "no argument": lambda smoothing: cross_entropy,
}


@pytest.mark.parametrize("answer", WEIGHTS)
def test_what_weights_do(answer: str) -> None:
    assert questions.of_weights(WEIGHTS[answer]) == answer


def refuse_a_sum(smoothing: float, reduction: str = "mean", **options: Any) -> Any:
    if reduction != "mean":
        raise ValueError(reduction)
    return torch_like(smoothing, **options)


def test_weights_are_tried_without_a_sum() -> None:
    assert questions.of_weights(refuse_a_sum) == "bend the target"


def half_pulled(z: Tensor, y: Tensor) -> Tensor:
    q = torch.tensor([0.5, 0.5, 0, 0, 0], dtype=z.dtype).expand_as(z)
    return cross_entropy(z, y) + (F.cross_entropy(z, q, reduction="none") * (y < 0)).sum()


def without_hard_term(z: Tensor, y: Tensor) -> Tensor:
    log_p = z.log_softmax(1)
    return 0.9 * F.nll_loss(log_p, y) - 0.1 * log_p.mean()


IGNORED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "ignored": cross_entropy,
    "ignored, yet counted in the mean": lambda z, y: cross_entropy(
        z, y, reduction="none"
    ).mean(),
    "trained towards u": without_hard_term,
    "taken for class 0": lambda z, y: cross_entropy(z, y.clamp(min=0)),
    "trained": half_pulled,
}


@pytest.mark.parametrize("answer", IGNORED)
def test_what_becomes_of_a_row_to_ignore(answer: str) -> None:
    assert questions.ignored(IGNORED[answer]) == answer


def on_last(z: Tensor, y: Tensor, **options: Any) -> Tensor:
    return cross_entropy(z.flatten(0, -2), y.flatten(), **options)


@pytest.mark.parametrize(
    ("loss", "dim", "answer"),
    [
        (cross_entropy, 1, "right"),
        (on_last, -1, "right"),
        (lambda z, y: cross_entropy(z.reshape(6, 5), y.flatten()), 1, "wrong"),
        (cross_entropy, -1, "raises RuntimeError"),
    ],
)
def test_where_the_classes_are_found(loss: Any, dim: int, answer: str) -> None:
    assert questions.ask(lambda: questions.dimension(loss, dim)) == answer


@pytest.mark.parametrize(
    ("loss", "answer"),
    [
        (cross_entropy, "inf"),
        (lambda z, y: cross_entropy(z.float(), y), "finite"),
        (lambda z, y: z.sum() * torch.nan, "nan"),
    ],
)
def test_a_sum_too_large_for_half_precision(loss: Any, answer: str) -> None:
    assert questions.half(loss) == answer


@pytest.mark.parametrize(
    ("loss", "answer"),
    [
        (cross_entropy, "mean"),
        (partial(cross_entropy, reduction="sum"), "sum"),
        (partial(cross_entropy, reduction="none"), "none"),
        (lambda z, y: cross_entropy(z, y, reduction="sum") / len(z), "sum / N"),
        (lambda z, y: 7 * cross_entropy(z, y), "other"),
        (lambda z, y: (cross_entropy(z, y, reduction="none") * y).sum(), "other"),
        (lambda z, y: on_last(z, y, reduction="sum") / len(z), "sum / N"),
    ],
)
def test_what_is_returned(loss: Any, answer: str) -> None:
    assert questions.reduction(loss) == answer


def test_a_row_is_measured() -> None:
    found = questions.measure(LIBRARIES["PyTorch"], torch_like)
    assert found.items() <= results.LOSSES[0].items()
    call = partial(adapters.CALLS["PyTorch"], F.cross_entropy)
    make = lambda e, **o: partial(call, e, **o)  # noqa: E731
    assert questions.measure(LIBRARIES["PyTorch"], make) == found


def test_a_loss_without_one_convention_is_refused() -> None:
    def changes(smoothing: float) -> Any:
        names = {5: "others", 10: "uniform"}
        return lambda z, y: known(smoothing, names[z.shape[1]])(z, y)

    with pytest.raises(questions.RowError, match="no one convention"):
        questions.measure(Library("", "", ""), changes)


# How a loss is called.


def test_a_function_of_labels_is_a_loss() -> None:
    z, y = torch.randn(3, 5), torch.tensor([2, 1, 0])
    loss = adapters.of_labels(lambda labels: 0.9 * labels + 0.02, z, y)
    torch.testing.assert_close(loss, cross_entropy(z, y))


@pytest.mark.parametrize("dim", [1, 2])
def test_the_classes_are_where_the_target_has_none(dim: int) -> None:
    z, y = torch.randn(2, 5, 3).movedim(1, dim), torch.randint(5, (2, 3))
    assert adapters.one_hot(z, y).argmax(dim).equal(y)
    assert adapters.log_p(z, y)[0].exp().sum(dim).allclose(torch.ones(2, 3))


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_a_gradient_from_elsewhere_is_that_of_the_loss(reduction: str) -> None:
    z, y = torch.randn(3, 5, requires_grad=True), torch.tensor([2, 1, 0])
    expected = F.cross_entropy(z, y, reduction=reduction)
    (gradient,) = torch.autograd.grad(expected.sum(), z)

    def value_and_grad(array: Any) -> tuple[Any, Any]:
        assert (array == z.detach().numpy()).all()
        return expected.detach().numpy(), gradient.numpy()

    value = adapters.elsewhere(value_and_grad, z, y)
    torch.testing.assert_close(value, expected)
    (found,) = torch.autograd.grad(value, z, torch.ones_like(value))
    torch.testing.assert_close(found, gradient)


# Where a library comes from.

LOSS = """\
from far.away import value
from world.registry import register
from .base import Base
@register()
class Loss(Base):
    known = value
"""


def test_a_file_is_imported_without_its_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "world-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        # Its own code needs what is not there.
        archive.writestr("world/__init__.py", "import all_of_it")
        archive.writestr("world/inner/__init__.py", "import more_of_it")
        archive.writestr("world/inner/loss.py", LOSS)
        archive.writestr("world/inner/base.py", "Base = object")
    rosetta.unpack(path, tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(rosetta.sys, "modules", dict(rosetta.sys.modules))
    stubs = {"str": ["far.away.value"], "decorator": ["world.registry.register"]}
    library = Library("", "", "world.inner.loss.Loss", stubs=stubs)
    assert rosetta.load(library).known is str


def test_a_library_that_does_not_come_is_a_row_with_an_error() -> None:
    fails: Future[Path] = Future()
    fails.set_exception(questions.RowError("no matching distribution"))
    library = Library("missing", "missing==1", "missing.loss")
    row = rosetta.run(library, {"missing==1": fails})
    assert row["error"] == "no matching distribution"
    assert losses.convention(row) is None


def test_a_library_that_does_not_run_is_a_row_with_an_error() -> None:
    row = rosetta.run(Library("unlisted", "", "nowhere.loss"), {})
    assert row["error"] == "KeyError: 'unlisted'"
