"""The parts of ``nox -s experiment``, on a few images, and what it has recorded."""

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from measured import results
from measured.experiment import __main__ as experiment
from measured.experiment import figures, train
from measured.experiment.runs import CODE, Runs, code
from measured.experiment.settings import SETTINGS
from measured.experiment.train import Setting


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with 300 images to train on and 100 to test on."""
    generator = torch.Generator().manual_seed(0)
    known = {}
    for part, count in (("train", 300), ("t10k", 100)):
        labels = torch.arange(count) % 10
        noise = torch.randint(0, 40, (count, 28, 28), generator=generator)
        images = 20 * labels[:, None, None] + noise
        for kind, values in {"images-idx3": images, "labels-idx1": labels}.items():
            content = bytes(4 + 4 * values.dim()) + bytes(values.flatten().tolist())
            name = f"{part}-{kind}-ubyte"
            known[name] = hashlib.sha256(content).hexdigest()
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    monkeypatch.setattr(train, "FILES", known)
    return tmp_path


@pytest.fixture
def runs(folder: Path) -> Runs:
    return Runs(folder / "runs", train.load(folder, held_out=100))


# The data.


def test_the_data_are_read_and_a_part_is_held_out(folder: Path) -> None:
    data = train.load(folder, held_out=100)
    shapes = [tuple(part[0].shape) for part in (data.train, data.held_out, data.test)]
    assert shapes == [(200, 1, 28, 28), (100, 1, 28, 28), (100, 1, 28, 28)]
    x, y = data.train
    assert float(x.mean()) == pytest.approx(0, abs=1e-5)
    assert float(x.std()) == pytest.approx(1, abs=1e-5)
    # An image still has its label: it is the brighter, the larger the label.
    for x, y in (data.train, data.held_out, data.test):
        bright = torch.stack([x[y == k].mean() for k in range(10)])
        assert (bright.diff() > 0).all()
    again = train.load(folder, held_out=100)
    for one, other in zip(data[:3], again[:3], strict=True):
        assert all(map(torch.equal, one, other))
    assert data.digest == again.digest != train.load(folder, held_out=99).digest


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no gzip", "cannot be unpacked"),
        (gzip.compress(b"\0" * 99, mtime=0)[:-9], "cannot be unpacked"),
        (
            gzip.compress(b"", mtime=0),
            "is not of Fashion-MNIST: unpacked, its SHA-256 is e3b0c44",
        ),
    ],
)
def test_another_file_is_refused(folder: Path, content: bytes, words: str) -> None:
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(content)
    with pytest.raises(SystemExit, match=rf"t10k-labels-idx1-ubyte\.gz {words}"):
        train.load(folder)


def test_a_missing_data_set_is_told_how_to_get(folder: Path) -> None:
    (folder / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(SystemExit) as raised:
        experiment.main(str(folder))
    message = str(raised.value)
    assert f"there is no {folder}/t10k-images-idx3-ubyte.gz" in message
    assert "apt-get install dataset-fashion-mnist" in message
    assert "nox -s experiment -- FOLDER" in message


# What is trained on.


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.4])
def test_noise_is_as_frequent_as_it_says_and_symmetric(rate: float) -> None:
    labels = torch.arange(10).repeat(10_000)
    noisy = train.add_noise(labels, rate, torch.Generator().manual_seed(0))
    wrong = noisy != labels
    assert float(wrong.double().mean()) == pytest.approx(rate, abs=0.005)
    shift = (noisy - labels)[wrong].remainder(10).bincount(minlength=10)
    if rate:
        assert shift[0] == 0
        assert (shift[1:] / shift.sum() - 1 / 9).abs().max() < 0.005


def test_the_commonest_class_has_a_hundred_times_the_images_of_the_rarest() -> None:
    labels = torch.arange(10).repeat(1000)
    counts = labels[train.choose("unbalanced", labels)].bincount()
    assert (int(counts[0]), int(counts[-1])) == (1000, 10)
    assert (counts.diff() < 0).all()
    ratios = counts[1:] / counts[:-1]
    assert (ratios - 0.01 ** (1 / 9)).abs().max() < 0.03


z = torch.randn(6, 10, generator=torch.Generator().manual_seed(1))
y = torch.tensor([0, 3, 3, 9, 1, 0])
w = torch.linspace(1, 2, 10)
OTHERS = torch.full((6, 10), 0.1 / 9).scatter(1, y[:, None], 0.9)


def smoothed(row: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
    return w[k] * F.cross_entropy(row, k, label_smoothing=0.1)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (Setting(), lambda: F.cross_entropy(z, y)),
        (Setting(smoothing=0.1), lambda: F.cross_entropy(z, y, label_smoothing=0.1)),
        (
            Setting(smoothing=0.1, weights="torch"),
            lambda: F.cross_entropy(z, y, w, label_smoothing=0.1),
        ),
        (
            Setting(smoothing=0.1, weights="rows"),
            lambda: sum(map(smoothed, z, y)) / w[y].sum(),
        ),
        (Setting(smoothing=0.1, convention="others"), lambda: F.cross_entropy(z, OTHERS)),
    ],
)
def test_the_loss_of_a_setting(
    setting: Setting, expected: Callable[[], torch.Tensor]
) -> None:
    torch.testing.assert_close(train.loss_of(setting, w)(z, y), expected())


def test_a_student_learns_from_its_teacher_at_the_temperature() -> None:
    loss = train.loss_of(Setting(teacher=0.1, temperature=4.0), w)
    v = z.flip(1)
    p, q = (z / 4).softmax(1), (v / 4).softmax(1)
    torch.testing.assert_close(loss(z, v), 16 * (q * (q / p).log()).sum(1).mean())
    assert float(loss(z, z)) == pytest.approx(0, abs=1e-6)


# Runs.

SHORT = Setting(smoothing=0.1, noise=0.2, width=2)


def test_a_seed_gives_the_same_logits_again_and_another_seed_others(runs: Runs) -> None:
    one, again, other = (runs.train(SHORT, seed) for seed in (3, 3, 4))
    assert torch.equal(one["test"], again["test"])
    assert torch.equal(one["held out"], again["held out"])
    assert not torch.equal(one["test"], other["test"])


def test_after_a_kill_only_what_was_not_finished_is_trained(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = runs.get(SHORT, 0)

    def killed(found: dict[str, Any], path: Path) -> None:
        path.write_bytes(b"half of it")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            runs.get(SHORT, 1)
    assert not runs.path(SHORT, 1).exists()

    trained = runs.train(SHORT, 1)
    assert torch.equal(runs.get(SHORT, 1)["test"], trained["test"])
    # Now both are there, and nothing is trained.
    monkeypatch.delattr(train, "train")
    assert torch.equal(runs.get(SHORT, 0)["test"], first["test"])
    assert torch.equal(runs.get(SHORT, 1)["test"], trained["test"])


def test_a_run_has_a_name_of_its_own(runs: Runs) -> None:
    paths = {runs.path(setting, n) for setting in SETTINGS.values() for n in range(5)}
    assert len(paths) == 5 * len(SETTINGS)
    other = runs._replace(data=runs.data._replace(digest="of other images"))
    assert other.path(SHORT, 0) != runs.path(SHORT, 0)


PLAIN = "from math import exp\n\ndef f(x=None, *y):\n    return exp(x[:4], x[4:])\n"


def test_words_and_types_do_not_change_what_code_does() -> None:
    said = PLAIN.replace(
        "x=None, *y):", 'x: int | None = None, *y: str) -> int:\n    """S"""'
    )
    assert code(PLAIN) == code(f'"""Say."""\n{said}    # so')


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x[:4], x[4:]", "x[4:], x[:4]"),
        ("x[:4]", "x[4:4]"),
        ("x[4:]", "x[4]"),
        ("x[4:]", "x"),
        ("from math", "from torch"),
        ("import exp", "import log as exp"),
        ("*y", "**y"),
        ("*y", "*, y"),
        ("f(x=None, *y)", "f(x=None, y=0, /)"),
        ("=None", ""),
        ("return", "yield"),
        ("return", "assert x or 0; return"),
        ("return", "y: int = 0; return"),
    ],
)
def test_another_hash_is_of_code_that_does_another_thing(old: str, new: str) -> None:
    assert code(PLAIN) != code(PLAIN.replace(old, new))


def test_a_student_is_given_the_teacher_of_its_seed(runs: Runs) -> None:
    student = Setting(width=train.STUDENT, teacher=0.1, temperature=4.0)
    found = runs.get(student, 2)
    taught = Setting(smoothing=0.1, width=train.TEACHER)
    assert runs.path(taught, 2).exists()
    teacher = train.network(train.TEACHER)
    teacher.load_state_dict(runs.get(taught, 2)["state"])
    again = train.train(student, 2, runs.data, teacher)
    assert torch.equal(found["test"], again["test"])


# Measuring.


def foretold(count: int, num_classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits, and labels that come up as often as the logits say."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(count, num_classes, generator=generator)
    return logits, torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_put_in_is_found(temperature: float) -> None:
    logits, labels = foretold(50_000, 4)
    found = figures.fit_temperature(temperature * logits, labels)
    assert found == pytest.approx(temperature, rel=0.02)


def test_the_risk_is_that_of_the_most_confident() -> None:
    confidence = torch.tensor([0.9, 0.2, 0.8, 0.1])
    right = torch.tensor([True, False, True, False])
    risks = [float(figures.risk(confidence, right, c)) for c in (0.25, 0.5, 0.75, 1)]
    assert risks == pytest.approx([0, 0, 1 / 3, 1 / 2])


def test_the_auroc_of_a_logit_does_not_hang_on_its_size(runs: Runs) -> None:
    run = runs.get(SHORT, 0)
    logits = run["test"].double()
    large = run | {"test": logits + 1000}  # where a sigmoid is 1
    one, other = (figures.measure(SHORT, found, runs.data) for found in (run, large))
    assert one == other
    assert "scaled ece" not in one
    assert "scaled ece" in figures.measure(SHORT._replace(noise=0.0), run, runs.data)


def test_a_calibration_error_by_chance_falls_with_the_rows() -> None:
    logits, labels = foretold(10_000, 10)
    by_chance = figures.error_by_chance(logits)
    assert by_chance == pytest.approx(figures.calibration_error(logits, labels), rel=0.5)
    assert by_chance < figures.error_by_chance(logits[:100]) / 5


def test_what_is_confused_is_said_of_unbalanced_images_only(runs: Runs) -> None:
    name = "commonest taken for rarest"
    logits = torch.zeros(100, 10)
    logits[:, 9] = 1
    run = {"test": logits, "held out": logits}
    unbalanced = Setting(images="unbalanced")
    assert figures.measure(unbalanced, run, runs.data)[name] == 1
    assert name not in figures.measure(Setting(), run, runs.data)


def test_a_run_that_gives_other_figures_is_named(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiment, "SETTINGS", {"one": SHORT, "two": SHORT})
    monkeypatch.setattr(experiment, "REPEATED", ("one", "two"))
    right = figures.measure(SHORT, runs.get(SHORT, 0), runs.data)
    wrong = right | {"nll": right["nll"] + 0.0001}
    found = {("one", 0): right, ("two", 0): wrong}
    assert list(experiment.repeat(runs, found)) == ["two"]


# The record.


def test_the_record_is_of_these_settings_and_seeds() -> None:
    assert results.experiment["repeated with code"] == CODE
    assert list(dict.fromkeys(row["name"] for row in results.RUNS)) == list(SETTINGS)
    for name, setting in SETTINGS.items():
        found = results.runs(name)
        assert [row["seed"] for row in found] == list(experiment.SEEDS)
        for row in found:
            assert [row.get(key) for key in Setting._fields] == list(setting)
            assert row.keys() == found[0].keys()


SIGNS = Path(__file__).with_name("signs.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("line", SIGNS)
def test_the_page_says_what_the_intervals_say(line: str) -> None:
    """Compare what the page "Does it help?" says in words with the figures.

    A line has the sign of each difference of a figure from that of the setting before the
    second colon; it is none where the interval has zero in it.
    """
    names, base, settings = line.split(": ")
    figure, _, of_base = names.partition(", ")
    for sign, *name in settings.split(", "):
        _, low, high = results.points("".join(name), figure, base, of_base)
        assert (low > 0) - (high < 0) == {"+": 1, "-": -1, "=": 0}[sign], name
