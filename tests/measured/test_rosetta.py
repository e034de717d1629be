"""What ``nox -s rosetta`` asks of a loss, and what it has recorded.

No library is needed here: the losses are built in the test, each with a known answer.
"""

import zipfile
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from measured import results, rows
from measured.rosetta import __main__ as rosetta
from measured.rosetta import adapters, losses, questions
from measured.rosetta.losses import LIBRARIES, Library
from measured.rows import Row
from torch import Tensor

from label_smoothing.auditing.conventions import CONVENTIONS, PADDED

from ..library.audited import loss as known
from ..library.audited import row_targets

WHEELS = {row["name"]: row for row in rows.read(losses.HERE / "wheels.csv")}
PINNED = {line.partition("==")[0] for line in rosetta.PINS.read_text().splitlines()}
PLAIN = Library("", "", "", call="f(z, y)", options="")
FULL = Library("", "", "", call="f(z, y, e, **o)")


def test_the_record_is_of_the_settings_and_has_each_convention() -> None:
    assert results.rosetta["smoothing"] == losses.SMOOTHING == 0.1
    assert results.rosetta["classes"] == list(questions.CLASSES)
    assert {*map(losses.convention, results.LOSSES)} - {None} == {*CONVENTIONS}


def agrees(q: list[float]) -> bool:
    """Say if a target is the one that its convention defines."""
    convention = losses.convention_of(q)
    name = {"half": "uniform", "swap": "others"}.get(str(convention), str(convention))
    y = torch.tensor([losses.TRUE % len(q)])
    expected = row_targets(name, y, len(q), losses.SMOOTHING)[0].tolist()
    return convention is not None and q == [round(value, 6) for value in expected]


@pytest.mark.parametrize(
    ("library", "row"),
    [*zip(LIBRARIES.values(), results.LOSSES, strict=True)],
    ids=LIBRARIES,
)
def test_a_library_has_its_row_and_what_it_needs(library: Library, row: Row) -> None:
    assert (library.name, library.package, library.path) == tuple(row.values())[:3]
    assert "==" in library.package or library.name == "PyTorch"
    assert PINNED.issuperset(library.needs)
    assert callable(adapters.way_of(library, None, 5, 0.1).loss)
    for module in library.stubs.values():
        exec(module, {})
    if "error" in row:
        return
    files = [WHEELS[name] for name in library.downloads]
    assert all(len(file["sha256"]) == 64 for file in files)
    asked = library.package.replace("==", "-").replace("_", "-").lower()
    came = files[0]["file"] if files else ""
    assert came.replace("_", "-").lower().startswith(asked)
    sizes = [2] if library.table == "two" else results.rosetta["classes"]
    assert {K: len(q) for K, q in row["targets"].items()} == {str(K): K for K in sizes}
    for q in row["targets"].values():
        assert agrees(q)
        assert losses.convention_of(q) == losses.convention(row)
        for k, value in enumerate(q):  # a row that is written by hand does not agree
            assert not agrees([*q[:k], round(value + 1e-4, 6), *q[k + 1 :]])


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
    others = make_of(partial(known, convention="others"))
    questions.try_to_write(others, 5, "others", y)
    questions.try_to_write(others, 2, "swap", y % 2)
    questions.try_to_write(make_of(partial(known, convention=PADDED)), 5, PADDED, y)
    with pytest.raises(RuntimeError, match=r"with 0\.08\d* the target is"):
        questions.try_to_write(make_of(known), 5, "others", y)


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
    ("ignored", "trained towards u", lambda z, y: ce(z, y) - z.log_softmax(1).mean()),
    ("ignored", "taken for class 0", lambda z, y: ce(z, y.clamp(min=0))),
    ("ignored", "trained", lambda z, y: ce(z, y) - z.log_softmax(1)[y < 0, :2].sum()),
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


def test_probabilities_are_of_as_many_classes_as_the_logits() -> None:
    library = PLAIN._replace(probabilities=True)
    make = make_of(lambda z, q: -(q * z.log_softmax(1)).sum(1), library)
    assert questions.half(make(5, 0.1)) == "finite"


# What each makes of q', for weights w, and the true class as delta.
WEIGHTS: dict[str, Callable[..., Tensor]] = {
    "bend the target": lambda w, q, delta: w * q,
    "scale the row": lambda w, q, delta: (w * delta).sum(1, keepdim=True) * q,
    "scale the row by their mean under q'": lambda w, q, delta: (
        (w * q).sum(1, keepdim=True) * q
    ),
    "weigh the true class alone": lambda w, q, delta: q + 0.9 * (w - 1) * delta,
    "do nothing": lambda w, q, delta: q,
    "other": lambda w, q, delta: q + w.sum() * delta,
}


@pytest.mark.parametrize("answer", WEIGHTS)
def test_what_weights_do(answer: str) -> None:
    def loss(z: Tensor, y: Tensor, e: float, **options: Any) -> Tensor:
        w = options.get("weight", torch.ones(5, dtype=torch.float64))
        target = WEIGHTS[answer](w, row_targets("uniform", y, 5, e), F.one_hot(y, 5))
        return F.cross_entropy(z, target)

    assert questions.of_weights(make_of(loss)) == answer


def test_weights_are_tried_without_a_sum_or_there_are_none() -> None:
    def loss(z: Tensor, y: Tensor, e: float, **options: Any) -> Tensor:
        if options.get("reduction") == "sum":
            raise ValueError
        return F.cross_entropy(z, y, label_smoothing=e, **options)

    assert questions.of_weights(make_of(loss)) == "bend the target"
    assert questions.of_weights(make_of(ce, PLAIN)) == "no argument"


def test_a_file_is_imported_without_its_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "world-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("world-1.0.dist-info/METADATA", "Name: world\nVersion: 1.0")
        archive.writestr("world-1.0.dist-info/WHEEL", "Wheel-Version: 1.0")
        # Its own code needs what is not there.
        archive.writestr("world/__init__.py", "import all_of_it")
        archive.writestr("world/inner/__init__.py", "import more_of_it")
        archive.writestr(
            "world/inner/loss.py",
            "from far.away import value\nfrom world.registry import register\n"
            "from .base import Base\n@register()\nclass Loss(Base):\n known = value",
        )
        archive.writestr("world/inner/base.py", "Base = object")
    stubs = {
        "far.away": "value = 'known'",
        "world.registry": "register = lambda: lambda loss: loss",
    }
    pip = ("--no-index", f"--find-links={tmp_path}")
    library = Library("", "world==1.0", "world.inner.loss.Loss", "", pip=pip, stubs=stubs)
    site = str(tmp_path / "site")
    digest = sha256(wheel.read_bytes()).hexdigest()
    came = {"name": "world==1.0", "file": wheel.name, "sha256": digest}
    assert [*rosetta.fetch(library, site)] == [came]
    rosetta.replace(library, site)
    monkeypatch.syspath_prepend(site)
    assert import_module("world.inner.loss").Loss.known == "known"


def test_a_library_is_run_or_its_row_has_an_error() -> None:
    assert rosetta.run(LIBRARIES["PyTorch"]) == (results.LOSSES[0], [])
    missing = Library("missing", "missing==1", "missing.loss", "", pip=["--no-index"])
    row, _ = rosetta.run(missing)
    assert row["error"] == "ERROR: No matching distribution found for missing==1"
    assert losses.convention(row) is None
    row, _ = rosetta.run(Library("unlisted", "", "nowhere.loss", ""))
    assert row["error"] == "KeyError: 'unlisted'"
