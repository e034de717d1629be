"""What ``nox -s rosetta`` asks of a loss, and what it has recorded.

No library is needed here: the losses are built in the test, each with a known answer.
"""

import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from measured import results, rows
from measured.rosetta import __main__ as rosetta
from measured.rosetta import adapters, losses, questions
from measured.rosetta.losses import LIBRARIES, Library
from torch import Tensor

from ..library.audited import PADDED, row_targets
from ..library.audited import loss as known

WHEELS = {row["name"]: row for row in rows.read(losses.HERE / "wheels.csv")}
ROWS = [row for row in results.LOSSES if "error" not in row]
of_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])


def q_of(convention: str, num_classes: int) -> list[float]:
    """Build a row of q' from the definition of a convention."""
    name = {"half": "uniform", "swap": "others"}.get(convention, convention)
    y = torch.tensor([losses.TRUE % num_classes])
    return [round(v, 6) for v in row_targets(name, y, num_classes, 0.1)[0].tolist()]


def agrees(row: rows.Row) -> bool:
    """Say if each target of a row is what follows from its convention."""
    sizes = [2] if LIBRARIES[row["name"]].two_classes else results.rosetta["classes"]
    convention = str(losses.convention(row))
    return row["targets"] == {str(K): q_of(convention, K) for K in sizes}


def test_the_record_has_the_libraries_of_the_list() -> None:
    listed = [(v.name, v.package, v.path) for v in LIBRARIES.values()]
    recorded = [(row["name"], row["package"], row["path"]) for row in results.LOSSES]
    assert recorded == listed
    assert results.rosetta["smoothing"] == losses.SMOOTHING == 0.1
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
def test_a_row_agrees_with_its_convention_unless_it_is_written_by_hand(
    row: rows.Row,
) -> None:
    assert agrees(row)
    for classes, q in row["targets"].items():
        for k, value in enumerate(q):
            wrong = [*q[:k], round(value + 1e-4, 6), *q[k + 1 :]]
            assert not agrees(row | {"targets": row["targets"] | {classes: wrong}})


@pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)
def test_what_is_needed_has_a_version_and_what_is_written_in_python_runs(
    library: Library,
) -> None:
    pinned = {line.partition("==")[0] for line in rosetta.PINS.read_text().splitlines()}
    assert "==" in library.package or library.name == "PyTorch"
    assert pinned.issuperset(library.needs)
    assert callable(adapters.call_of(library, None))
    for stand_in in library.stubs:
        adapters.python(stand_in)


SHARED = ("uniform", "others", PADDED, "normalised")


@pytest.mark.parametrize(
    ("convention", "q"),
    [
        *((name, q_of(name, classes)) for name in SHARED for classes in (5, 10)),
        ("half", [0.95, 0.05]),
        ("swap", [0.9, 0.1]),
        (None, [0.03, 0.03, 0.88, 0.03, 0.03]),
        (None, [0.01, 0.03, 0.92, 0.02, 0.02]),
        (None, [0.0, 0.025, 0.9, 0.025, 0.05]),
        (None, [0.02, 0.02, 0.94, 0.02, 0.0]),
    ],
)
def test_a_convention_gets_its_name(convention: str | None, q: list[float]) -> None:
    assert losses.convention_of(q) == convention


def meaning(convention: str) -> Callable[[float], Any]:
    """Return what makes a loss that means this by ε."""
    return lambda e: partial(known, smoothing=e, convention=convention)


def test_what_to_write_is_tried() -> None:
    y = torch.tensor([2, 1])
    questions.try_to_write(meaning("others"), 5, "others", y)
    questions.try_to_write(meaning(PADDED), 5, PADDED, y)
    questions.try_to_write(meaning("others"), 2, "swap", y % 2)
    with pytest.raises(RuntimeError, match=r"with 0\.08\d* the target is"):
        questions.try_to_write(meaning("uniform"), 5, "others", y)


def test_a_loss_without_one_convention_is_refused() -> None:
    def make(smoothing: float) -> Any:
        names = {5: "others", 10: "uniform"}
        return lambda z, y: known(z, y, smoothing, names[z.shape[1]])

    with pytest.raises(RuntimeError, match="no one convention"):
        questions.measure(LIBRARIES["PyTorch"], make)


def by_class_dim(z: Tensor, y: Tensor) -> Tensor:
    return -(adapters.one_hot(z, y) * adapters.log_p(z, y)).sum()


def on_last(z: Tensor, y: Tensor) -> Tensor:
    return summed(z.flatten(0, -2), y.flatten())


def without_hard_term(z: Tensor, y: Tensor) -> Tensor:
    log_p = z.log_softmax(1)
    return 0.9 * F.nll_loss(log_p, y) - 0.1 * log_p.mean()


def half_pulled(z: Tensor, y: Tensor) -> Tensor:
    q = torch.tensor([0.5, 0.5, 0, 0, 0], dtype=z.dtype).expand_as(z)
    return ce(z, y) + (F.cross_entropy(z, q, reduction="none") * (y < 0)).sum()


def elsewhere(**options: str) -> Any:
    """Return a loss of another framework, which is PyTorch."""

    def framework(f: Any, z: Any, y: Any) -> tuple[Any, Any]:
        logits = torch.tensor(z, requires_grad=True)
        value = f(logits, torch.tensor(y))
        (gradient,) = torch.autograd.grad(value.sum(), logits)
        return value.detach().numpy(), gradient.numpy()

    return partial(adapters.elsewhere, framework, partial(ce, **options))


def of_rows(weigh: Callable[..., Tensor]) -> Any:
    """Return what makes a loss whose weights do what is given to the rows."""

    def loss(w: Tensor, e: float, z: Tensor, y: Tensor) -> Tensor:
        q = row_targets("uniform", y, 5, e)
        each, hard = (F.cross_entropy(z, t, reduction="none") for t in (q, y))
        return weigh(w, y, q, each, hard).mean()

    ones = torch.ones(5, dtype=torch.float64)
    return lambda e, weight=ones, **options: partial(loss, weight, e)


def make_torch(smoothing: float, **options: Any) -> Any:
    return partial(F.cross_entropy, label_smoothing=smoothing, **options)


def refuse_a_sum(smoothing: float, reduction: str = "mean", **options: Any) -> Any:
    if reduction != "mean":
        raise ValueError(reduction)
    return make_torch(smoothing, **options)


ce = make_torch(0.1)
each, summed = (make_torch(0.1, reduction=how) for how in ("none", "sum"))
CASES: list[tuple[str, str, Any]] = [
    ("form 5", "CE", ce),
    ("form 5", "CE", each),
    ("form 5", "CE", elsewhere()),
    ("form 5", "CE", partial(adapters.of_labels, lambda q: 0.9 * q + 0.02)),
    ("form 5", "KL", partial(meaning(PADDED)(0.1), divergence=True)),
    ("form 5", "other", lambda z, y: ce(z, y) + 1),
    ("ignored", "ignored", ce),
    ("ignored", "ignored, yet counted in the mean", lambda z, y: each(z, y).mean()),
    ("ignored", "ignored, and breaks the other rows", lambda z, y: ce(z, y) ** len(y)),
    ("ignored", "trained towards u", without_hard_term),
    ("ignored", "taken for class 0", lambda z, y: ce(z, y.clamp(min=0))),
    ("ignored", "trained", half_pulled),
    ("dimension 1", "right", ce),
    ("dimension 1", "right", by_class_dim),
    ("dimension 1", "wrong", lambda z, y: ce(z.reshape(6, 5), y.flatten())),
    ("dimension -1", "right", on_last),
    ("dimension -1", "right", by_class_dim),
    ("dimension -1", "raises RuntimeError", ce),
    ("half", "inf", ce),
    ("half", "finite", lambda z, y: ce(z.float(), y)),
    ("half", "nan", lambda z, y: z.sum() * torch.nan),
    ("reduction", "mean", ce),
    ("reduction", "mean", elsewhere()),
    ("reduction", "sum", summed),
    ("reduction", "sum", elsewhere(reduction="sum")),
    ("reduction", "none", each),
    ("reduction", "none", elsewhere(reduction="none")),
    ("reduction", "sum / N", lambda z, y: summed(z, y) / len(z)),
    ("reduction", "sum / N", lambda z, y: on_last(z, y) / len(z)),
    ("reduction", "other", lambda z, y: 7 * ce(z, y)),
    ("reduction", "other", lambda z, y: (each(z, y) * y).sum()),
    ("of_weights", "bend the target", make_torch),
    ("of_weights", "bend the target", refuse_a_sum),
    ("of_weights", "scale the row", of_rows(lambda w, y, q, ce, hard: w[y] * ce)),
    (
        "of_weights",
        "scale the row by their mean under q'",
        of_rows(lambda w, y, q, ce, hard: (w * q).sum(1) * ce),
    ),
    (
        "of_weights",
        "weigh the true class alone",
        of_rows(lambda w, y, q, ce, hard: ce + 0.9 * (w[y] - 1) * hard),
    ),
    ("of_weights", "do nothing", of_rows(lambda w, y, q, ce, hard: ce)),
    ("of_weights", "other", of_rows(lambda w, y, q, ce, hard: ce + w.sum() * hard)),
    ("of_weights", "no argument", lambda smoothing: ce),
]


@pytest.mark.parametrize(("question", "answer", "loss"), CASES)
def test_a_question_gets_its_answer(question: str, answer: str, loss: Any) -> None:
    name, *options = question.split()
    ask = getattr(questions, name)
    assert questions.ask(ask, lambda: loss, *map(int, options)) == answer


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
    with zipfile.ZipFile(tmp_path / "world-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("world-1.0.dist-info/METADATA", "Name: world\nVersion: 1.0")
        archive.writestr("world-1.0.dist-info/WHEEL", "Wheel-Version: 1.0")
        # Its own code needs what is not there.
        archive.writestr("world/__init__.py", "import all_of_it")
        archive.writestr("world/inner/__init__.py", "import more_of_it")
        archive.writestr("world/inner/loss.py", LOSS)
        archive.writestr("world/inner/base.py", "Base = object")
    stubs = {"str": ["far.away.value"], "decorator": ["world.registry.register"]}
    pip = ("--no-index", f"--find-links={tmp_path}")
    library = Library("", "world==1.0", "world.inner.loss.Loss", "", pip=pip, stubs=stubs)
    (file,) = rosetta.fetch(library, str(tmp_path / "site"))
    assert file["file"] == "world-1.0-py3-none-any.whl"
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(rosetta.sys, "modules", dict(rosetta.sys.modules))
    assert rosetta.load(library).known is str


def test_a_library_is_run_or_its_row_has_an_error() -> None:
    assert rosetta.run(LIBRARIES["PyTorch"]) == (results.LOSSES[0], [])
    missing = Library("missing", "missing==1", "missing.loss", "", pip=["--no-index"])
    row, _ = rosetta.run(missing)
    assert row["error"] == "ERROR: No matching distribution found for missing==1"
    assert losses.convention(row) is None
    row, _ = rosetta.run(Library("unlisted", "", "nowhere.loss", ""))
    assert row["error"] == "KeyError: 'unlisted'"
