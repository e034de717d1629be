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

from label_smoothing.auditing.conventions import CONVENTIONS

from ..library.audited import PADDED, row_targets
from ..library.audited import loss as known

WHEELS = {row["name"]: row for row in rows.read(losses.HERE / "wheels.csv")}
ROWS = [row for row in results.LOSSES if "error" not in row]
of_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
PLAIN = Library("", "", "", call="f(z, y)", options="")
FULL = Library("", "", "", call="f(z, y, e, **o)")


def agrees(q: list[float]) -> bool:
    """Say if a target is the one that its convention defines."""
    if not (convention := losses.convention_of(q)):
        return False
    name = {"half": "uniform", "swap": "others"}.get(convention, convention)
    y = torch.tensor([losses.TRUE % len(q)])
    expected = row_targets(name, y, len(q), losses.SMOOTHING)[0].tolist()
    return q == [round(value, 6) for value in expected]


def test_the_record_has_the_libraries_of_the_list() -> None:
    listed = [(v.name, v.package, v.path) for v in LIBRARIES.values()]
    recorded = [(row["name"], row["package"], row["path"]) for row in results.LOSSES]
    assert recorded == listed
    assert results.rosetta["smoothing"] == losses.SMOOTHING == 0.1
    assert results.rosetta["classes"] == list(questions.CLASSES)
    assert {losses.convention(row) for row in ROWS} == {*CONVENTIONS}


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
    sizes = [2] if LIBRARIES[row["name"]].table == "two" else results.rosetta["classes"]
    assert [*row["targets"]] == [str(size) for size in sizes]
    assert [len(q) for q in row["targets"].values()] == sizes
    for q in row["targets"].values():
        assert agrees(q)
        assert losses.convention_of(q) == losses.convention(row)
        for k, value in enumerate(q):
            assert not agrees([*q[:k], round(value + 1e-4, 6), *q[k + 1 :]])


@pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)
def test_what_is_needed_has_a_version_and_what_is_written_in_python_runs(
    library: Library,
) -> None:
    pinned = {line.partition("==")[0] for line in rosetta.PINS.read_text().splitlines()}
    assert "==" in library.package or library.name == "PyTorch"
    assert pinned.issuperset(library.needs)
    assert callable(adapters.way_of(library, None, 5, 0.1).loss)
    for stand_in in library.stubs:
        adapters.python(stand_in)


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
    assert losses.convention_of(q) is None


def make_of(loss: Callable[..., Any], library: Library = FULL) -> questions.Make:
    """Return what makes a loss, as if a library had it."""
    return partial(adapters.way_of, library, loss)


def test_what_to_write_is_tried() -> None:
    y = torch.tensor([2, 1])
    others, padded, uniform = (
        make_of(partial(known, convention=name)) for name in ("others", PADDED, "uniform")
    )
    questions.try_to_write(others, 5, "others", y)
    questions.try_to_write(padded, 5, PADDED, y)
    questions.try_to_write(others, 2, "swap", y % 2)
    with pytest.raises(RuntimeError, match=r"with 0\.08\d* the target is"):
        questions.try_to_write(uniform, 5, "others", y)


@pytest.mark.parametrize(
    "loss",
    [
        lambda z, y, e: known(z, y, e, {5: "others", 10: "uniform"}[z.shape[1]]),
        lambda z, y, e: known(z, y, e / 2),
    ],
)
def test_a_loss_without_one_convention_is_refused(loss: Any) -> None:
    with pytest.raises(RuntimeError, match="no one convention"):
        questions.measure(LIBRARIES["PyTorch"], make_of(loss))


def on_last(z: Tensor, y: Tensor) -> Tensor:
    return summed(z.flatten(0, -2), y.flatten())


def without_hard_term(z: Tensor, y: Tensor) -> Tensor:
    log_p = z.log_softmax(1)
    return 0.9 * F.nll_loss(log_p, y) - 0.1 * log_p.mean()


def half_pulled(z: Tensor, y: Tensor) -> Tensor:
    q = torch.tensor([0.5, 0.5, 0, 0, 0], dtype=z.dtype).expand_as(z)
    return ce(z, y) + (F.cross_entropy(z, q, reduction="none") * (y < 0)).sum()


def in_torch(f: Any, z: Any, y: Any) -> tuple[Any, Any]:
    """Return a loss and its gradient, as those of another framework."""
    logits = torch.tensor(z, requires_grad=True)
    value = f(logits, torch.tensor(y))
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    return value.detach().numpy(), gradient.numpy()


ce, each, summed = (
    partial(F.cross_entropy, label_smoothing=0.1, reduction=reduction)
    for reduction in ("mean", "none", "sum")
)
elsewhere = partial(partial, adapters.elsewhere, in_torch)
CASES: list[tuple[str, str, Any]] = [
    ("form", "CE", ce),
    ("form", "CE", each),
    ("form", "CE", elsewhere(ce)),
    ("form", "KL", partial(known, smoothing=0.1, convention=PADDED, divergence=True)),
    ("form", "other", lambda z, y: ce(z, y) + 1),
    ("ignored", "ignored", ce),
    ("ignored", "ignored, yet counted in the mean", lambda z, y: each(z, y).mean()),
    ("ignored", "ignored, and breaks the other rows", lambda z, y: ce(z, y) ** len(y)),
    ("ignored", "trained towards u", without_hard_term),
    ("ignored", "taken for class 0", lambda z, y: ce(z, y.clamp(min=0))),
    ("ignored", "trained", half_pulled),
    ("dimension 1", "right", ce),
    ("dimension 1", "wrong", lambda z, y: ce(z.reshape(6, 5), y.flatten())),
    ("dimension -1", "right", on_last),
    ("dimension -1", "raises RuntimeError", ce),
    ("half", "inf", ce),
    ("half", "finite", lambda z, y: ce(z.float(), y)),
    ("half", "nan", lambda z, y: z.sum() * torch.nan),
    ("reduction", "mean", ce),
    ("reduction", "mean", elsewhere(ce)),
    ("reduction", "sum", summed),
    ("reduction", "sum", elsewhere(summed)),
    ("reduction", "none", each),
    ("reduction", "none", elsewhere(each)),
    ("reduction", "sum / N", lambda z, y: summed(z, y) / len(z)),
    ("reduction", "sum / N", lambda z, y: on_last(z, y) / len(z)),
    ("reduction", "other", lambda z, y: 7 * ce(z, y)),
    ("reduction", "other", lambda z, y: (each(z, y) * y).sum()),
]


@pytest.mark.parametrize(("question", "answer", "loss"), CASES)
def test_a_question_gets_its_answer(question: str, answer: str, loss: Any) -> None:
    name, *options = question.split()
    make = partial(make_of(loss, PLAIN), 5, 0.1)
    assert questions.ask(getattr(questions, name), make, *map(int, options)) == answer


@pytest.mark.parametrize("dim", [1, -1])
def test_probabilities_are_where_the_classes_are(dim: int) -> None:
    def loss(log_p: Tensor, q: Tensor) -> Tensor:
        for p in (log_p.exp(), q):
            torch.testing.assert_close(p.sum(dim), torch.ones_like(p.sum(dim)))
        return -(q * log_p).sum()

    make = make_of(loss, PLAIN._replace(log_probs=True, probabilities=True))
    assert questions.dimension(make(5, 0.1), dim) == "right"


def of_rows(weigh: Callable[..., Tensor]) -> Any:
    """Return a loss whose weights do what is given to the rows."""

    def loss(z: Tensor, y: Tensor, e: float, **options: Any) -> Tensor:
        w = options.get("weight", torch.ones(5, dtype=torch.float64))
        q = row_targets("uniform", y, 5, e)
        each, hard = (F.cross_entropy(z, t, reduction="none") for t in (q, y))
        return weigh(w, y, q, each, hard).mean()

    return loss


def in_torch_without_a_sum(
    z: Tensor, y: Tensor, e: float, reduction: str = "mean", **options: Any
) -> Tensor:
    if reduction == "sum":
        raise ValueError(reduction)
    return F.cross_entropy(z, y, label_smoothing=e, **options)


WEIGHTS: list[tuple[str, Any]] = [
    (
        "bend the target",
        lambda z, y, e, **o: F.cross_entropy(z, y, label_smoothing=e, **o),
    ),
    ("bend the target", in_torch_without_a_sum),
    ("scale the row", of_rows(lambda w, y, q, ce, hard: w[y] * ce)),
    (
        "scale the row by their mean under q'",
        of_rows(lambda w, y, q, ce, hard: (w * q).sum(1) * ce),
    ),
    (
        "weigh the true class alone",
        of_rows(lambda w, y, q, ce, hard: ce + 0.9 * (w[y] - 1) * hard),
    ),
    ("do nothing", of_rows(lambda w, y, q, ce, hard: ce)),
    ("other", of_rows(lambda w, y, q, ce, hard: ce + w.sum() * hard)),
    ("no argument", lambda z, y, e: ce(z, y)),
]


@pytest.mark.parametrize(("answer", "loss"), WEIGHTS)
def test_what_weights_do(answer: str, loss: Any) -> None:
    assert questions.of_weights(make_of(loss)) == answer


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
