"""What ``nox -s rosetta`` asks of a loss, and the file that it has written.

No library is needed here: the losses are built in the test, each with a known answer.
"""

import json
import zipfile
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from measured.rosetta import __main__ as rosetta
from measured.rosetta.libraries import (
    LIBRARIES,
    Library,
    elsewhere,
    of_labels,
    on_log_probs,
    on_one_hot,
)
from torch import Tensor

from label_smoothing import convert_smoothing

RECORD = json.loads(rosetta.RECORD.read_text(encoding="utf-8"))
ROWS = [row for row in RECORD["libraries"] if "error" not in row]
MANY = [row for row in ROWS if not row["two_classes"]]
PADDED = "others-without-padding"

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
    return q.scatter(1, y[:, None], 0).scatter_add(
        1, y[:, None], 1 - q.scatter(1, y[:, None], 0).sum(1, keepdim=True)
    )


def known(smoothing: float, convention: str, **options: Any) -> Callable[..., Tensor]:
    """Return a loss that means this by ε."""
    return lambda z, y: F.cross_entropy(
        z, probabilities(z, y, smoothing, convention), **options
    )


def torch_like(smoothing: float, **options: Any) -> Callable[..., Tensor]:
    return partial(F.cross_entropy, label_smoothing=smoothing, **options)


# The file.


def faults(row: dict[str, Any]) -> list[str]:
    """Say in what a row contradicts itself: each number follows from the convention."""
    convention, found = row["convention"], []
    if (convention in rosetta.OF_TWO) != row["two_classes"]:
        found.append(f"{convention} is not for so many classes")
    for classes, q in row["targets"].items():
        k = int(classes)
        z, y = torch.zeros(1, k, dtype=torch.float64), torch.tensor([2 % k])
        source = "half" if k == 2 else "uniform"
        expected = probabilities(z, y, RECORD["smoothing"], convention)[0]
        if q != rosetta.rounded(expected):
            found.append(f"K = {k}: the target is not {convention}")
        value = convert_smoothing(RECORD["smoothing"], k, source, convention)
        if row["to_write"][classes] != round(value, 6):
            found.append(f"K = {k}: {value} is what to write")
    return found


def test_the_file_has_the_libraries_of_the_list() -> None:
    listed = [
        (v.name, v.package, v.path, v.former, v.two_classes) for v in LIBRARIES.values()
    ]
    fields = ("name", "package", "path", "former", "two_classes")
    assert [tuple(row[f] for f in fields) for row in RECORD["libraries"]] == listed
    assert RECORD["smoothing"] == rosetta.SMOOTHING


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_a_row_is_of_the_release_that_is_asked_for(row: dict[str, Any]) -> None:
    wanted = [name for name in (row["package"], *LIBRARIES[row["name"]].needs) if name]
    assert len(row["wheels"]) == len(wanted)
    if wanted:
        file = next(iter(row["wheels"])).replace("_", "-").lower()
        assert file.startswith(
            row["package"].replace("==", "-").replace("_", "-").lower()
        )
    assert all(len(digest) == 64 for digest in row["wheels"].values())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_a_row_agrees_with_its_convention(row: dict[str, Any]) -> None:
    assert faults(row) == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_a_row_written_by_hand_is_found_out(row: dict[str, Any]) -> None:
    (classes, q), *_ = row["targets"].items()
    wrong = {
        "targets": row["targets"] | {classes: [*q[:-1], round(q[-1] + 1e-4, 6)]},
        "to_write": row["to_write"] | {classes: row["to_write"][classes] + 0.01},
        "convention": "others" if row["convention"] != "others" else "uniform",
    }
    for key, value in wrong.items():
        assert faults(row | {key: value})


def test_every_requirement_has_a_version() -> None:
    pinned = {line.partition("==")[0] for line in rosetta.PINS.read_text().splitlines()}
    for library in LIBRARIES.values():
        assert "==" in library.package or library.name == "PyTorch"
        assert pinned.issuperset(library.needs)


# What is asked of a loss.


@pytest.mark.parametrize(
    ("convention", "classes"),
    [
        *((c, k) for c in ("uniform", "others", PADDED, "normalised") for k in (5, 10)),
        ("half", 2),
        ("swap", 2),
    ],
)
def test_a_convention_gets_its_name(convention: str, classes: int) -> None:
    z, y = torch.zeros(1, classes, dtype=torch.float64), torch.tensor([1])
    q = probabilities(z, y, 0.1, convention)[0]
    assert rosetta.convention_of(classes, q, y[0]) == convention


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
    name = rosetta.convention_of(5, torch.tensor(q), torch.tensor(2))
    assert name.startswith("none of these")


def test_what_to_write_is_tried() -> None:
    make = partial(known, convention="others")
    y = torch.tensor([2, 1])
    assert rosetta.to_write(make, 5, "others", y) == 0.08
    assert rosetta.to_write(partial(known, convention=PADDED), 5, PADDED, y) == 0.075
    assert rosetta.to_write(partial(known, convention="swap"), 2, "swap", y % 2) == 0.05
    with pytest.raises(rosetta.RowError, match=r"with 0\.08\d* the target is"):
        rosetta.to_write(torch_like, 5, "others", y)


def test_the_form_is_told_by_the_value() -> None:
    def divergence(z: Tensor, y: Tensor) -> Tensor:
        q = probabilities(z, y, 0.1, PADDED)
        return F.kl_div(z.log_softmax(1), q, reduction="sum")

    assert rosetta.form(cross_entropy, 5) == "CE"
    assert rosetta.form(partial(cross_entropy, reduction="none"), 5) == "CE"
    assert rosetta.form(divergence, 5) == "KL"
    assert rosetta.form(lambda z, y: cross_entropy(z, y) + 1, 5) == "other"


def of_rows(weigh: Callable[..., Tensor], smoothing: float, **options: Any) -> Any:
    """Return a loss whose weights do what is given to the rows."""
    weight = options.pop("weight", torch.ones(5, dtype=torch.float64))

    def loss(z: Tensor, y: Tensor) -> Tensor:
        q = probabilities(z, y, smoothing, "uniform")
        rows = F.cross_entropy(z, q, reduction="none")
        hard = F.cross_entropy(z, y, reduction="none")
        return weigh(weight, y, q, rows, hard).mean()

    return loss


@pytest.mark.parametrize(
    ("make", "answer"),
    [
        (torch_like, "bend the target"),
        (partial(of_rows, lambda w, y, q, rows, hard: w[y] * rows), "scale the row"),
        (
            partial(of_rows, lambda w, y, q, rows, hard: (w * q).sum(1) * rows),
            "scale the row by their mean under q'",
        ),
        (
            partial(of_rows, lambda w, y, q, rows, hard: rows + 0.9 * (w[y] - 1) * hard),
            "weigh the true class alone",
        ),
        (partial(of_rows, lambda w, y, q, rows, hard: rows), "do nothing"),
        (partial(of_rows, lambda w, y, q, rows, hard: rows + w.sum() * hard), "other"),
        (lambda smoothing: cross_entropy, "no argument"),
    ],
)
def test_what_weights_do(make: Callable[..., Any], answer: str) -> None:
    assert rosetta.of_weights(make) == answer


def refuse_a_sum(smoothing: float, reduction: str = "mean", **options: Any) -> Any:
    if reduction != "mean":
        raise ValueError(reduction)
    return torch_like(smoothing, **options)


def test_weights_are_tried_without_a_sum() -> None:
    assert rosetta.of_weights(refuse_a_sum) == "bend the target"


def masked(z: Tensor, y: Tensor) -> Tensor:
    """Leave a row out of the loss, and not out of its mean."""
    return cross_entropy(z, y, reduction="none").mean()


def without_hard_term(z: Tensor, y: Tensor) -> Tensor:
    return 0.9 * F.nll_loss(z.log_softmax(1), y) - 0.1 * z.log_softmax(1).mean()


def clamped(z: Tensor, y: Tensor) -> Tensor:
    return cross_entropy(z, y.clamp(min=0))


def half_pulled(z: Tensor, y: Tensor) -> Tensor:
    q = torch.tensor([0.5, 0.5, 0, 0, 0], dtype=z.dtype).expand_as(z)
    return cross_entropy(z, y) + (F.cross_entropy(z, q, reduction="none") * (y < 0)).sum()


@pytest.mark.parametrize(
    ("loss", "answer"),
    [
        (cross_entropy, "ignored"),
        (masked, "ignored, yet counted in the mean"),
        (without_hard_term, "trained towards u"),
        (clamped, "taken for class 0"),
        (half_pulled, "trained"),
    ],
)
def test_what_becomes_of_a_row_to_ignore(loss: Any, answer: str) -> None:
    assert rosetta.ignored(loss) == answer


def test_where_the_classes_are_found() -> None:
    on_last = lambda z, y: cross_entropy(z.flatten(0, -2), y.flatten())  # noqa: E731
    assert rosetta.dimension(cross_entropy, 1) == "right"
    assert rosetta.dimension(on_last, -1) == "right"
    assert (
        rosetta.dimension(lambda z, y: cross_entropy(z.reshape(6, 5), y.flatten()), 1)
        == "wrong"
    )
    assert (
        rosetta.ask(lambda: rosetta.dimension(cross_entropy, -1)) == "raises RuntimeError"
    )


@pytest.mark.parametrize(
    ("loss", "answer"),
    [
        (cross_entropy, "inf"),
        (lambda z, y: cross_entropy(z.float(), y), "finite"),
        (lambda z, y: z.sum() * torch.nan, "nan"),
    ],
)
def test_a_sum_too_large_for_half_precision(loss: Any, answer: str) -> None:
    assert rosetta.half(loss) == answer


@pytest.mark.parametrize(
    ("loss", "answer"),
    [
        (cross_entropy, "mean"),
        (partial(cross_entropy, reduction="sum"), "sum"),
        (partial(cross_entropy, reduction="none"), "none"),
        (lambda z, y: cross_entropy(z, y, reduction="sum") / len(z), "sum / N"),
        (lambda z, y: 7 * cross_entropy(z, y), "other"),
        (lambda z, y: (cross_entropy(z, y, reduction="none") * y).sum(), "other"),
        (
            lambda z, y: (
                cross_entropy(z.flatten(0, -2), y.flatten(), reduction="sum") / len(z)
            ),
            "sum / N",
        ),
    ],
)
def test_what_is_returned(loss: Any, answer: str) -> None:
    assert rosetta.reduction(loss) == answer


def test_a_row_is_measured() -> None:
    library = Library(
        "PyTorch", "", "", lambda thing, smoothing, **o: thing(smoothing, **o)
    )
    found = rosetta.measure(library, torch_like)
    recorded = next(row for row in RECORD["libraries"] if row["name"] == "PyTorch")
    assert json.loads(json.dumps(found)).items() <= recorded.items()


def test_a_loss_without_one_convention_is_refused() -> None:
    def changes(smoothing: float) -> Any:
        return lambda z, y: known(smoothing, "others" if z.shape[1] == 5 else "uniform")(
            z, y
        )

    library = Library("", "", "", lambda thing, smoothing: thing(smoothing))
    with pytest.raises(rosetta.RowError, match="no one convention"):
        rosetta.measure(library, changes)


# How a loss is called.


def test_a_function_of_labels_is_a_loss() -> None:
    z, y = torch.randn(3, 5), torch.tensor([2, 1, 0])
    loss = of_labels(lambda labels: 0.9 * labels + 0.02)
    torch.testing.assert_close(loss(z, y), cross_entropy(z, y))


@pytest.mark.parametrize("dim", [1, 2])
def test_the_classes_are_where_the_target_has_none(dim: int) -> None:
    z, y = torch.randn(2, 5, 3).movedim(1, dim), torch.randint(5, (2, 3))
    seen: list[Tensor] = []
    on_one_hot(lambda z, labels: seen.append(labels))(z, y)
    on_log_probs(lambda log_p, y: seen.append(log_p))(z, y)
    assert seen[0].argmax(dim).equal(y)
    assert seen[1].exp().sum(dim).allclose(torch.ones(2, 3))


def test_a_gradient_from_elsewhere_is_that_of_the_loss() -> None:
    def value_and_grad(y: Any, z: Any) -> tuple[Any, Any]:
        p = torch.tensor(z).softmax(1)
        rows = torch.arange(len(y))
        return -p.log()[rows, y].numpy(), (p - torch.eye(5)[y]).numpy()

    z, y = torch.randn(3, 5, requires_grad=True), torch.tensor([2, 1, 0])
    value = elsewhere(value_and_grad)(z, y)
    torch.testing.assert_close(value, F.cross_entropy(z, y, reduction="none"))
    (found,) = torch.autograd.grad(value, z, torch.ones(3))
    (expected,) = torch.autograd.grad(F.cross_entropy(z, y, reduction="sum"), z)
    torch.testing.assert_close(found, expected)


# Where a library comes from.


def wheel(folder: Path) -> Path:
    """Make a wheel of a package whose own code needs what is not there."""
    path = folder / "world-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("world/__init__.py", "import all_of_it")
        archive.writestr("world/inner/__init__.py", "import more_of_it")
        archive.writestr(
            "world/inner/loss.py",
            "from far.away import value\nfrom world.registry import register\n"
            "from .base import Base\n@register()\n"
            "class Loss(Base):\n    known = value\n",
        )
        archive.writestr("world/inner/base.py", "Base = object")
    return path


def test_a_file_is_imported_without_its_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rosetta.unpack(wheel(tmp_path), tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(rosetta.sys, "modules", dict(rosetta.sys.modules))
    stubs = {
        "far.away": {"value": 3},
        "world.registry": {"register": lambda: lambda thing: thing},
    }
    library = Library("", "", "world.inner.loss.Loss", known, alone=True, stubs=stubs)
    assert rosetta.load(library).known == 3


def test_a_library_that_does_not_come_is_a_row_with_an_error() -> None:
    fails: Future[Path] = Future()
    fails.set_exception(rosetta.RowError("no matching distribution"))
    library = Library("missing", "missing==1", "missing.loss", known)
    row = rosetta.run(library, {"missing==1": fails})
    assert row["error"] == "no matching distribution"
    assert "convention" not in row


def test_a_library_that_does_not_run_is_a_row_with_an_error() -> None:
    row = rosetta.run(Library("unlisted", "", "nowhere.loss", known), {})
    assert row["error"] == "KeyError: 'unlisted'"


def test_each_difference_is_named() -> None:
    recorded = [{"name": "a", "form": "CE"}, {"name": "b"}, {"name": "c"}]
    rows = [{"name": "a", "form": "KL"}, {"name": "b"}, {"name": "d"}]
    assert list(rosetta.differences(rows, recorded)) == [
        "a: form: CE is now KL",
        "d: name: None is now d",
        "c: was there",
    ]
