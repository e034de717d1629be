"""Train and measure what the page "Does it help?" shows: ``nox -s experiment``.

A run that has ended is kept in ``.experiment``; so after a kill, go on with the same
command. When all have ended, some are trained again, and must give the same figures;
then means, intervals and differences go to ``experiment.json``.
"""

import json
import platform
import statistics
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import scipy.stats
import torch
import torch.nn.functional as F
import torchmetrics
from torchmetrics.functional.classification import (
    binary_auroc,
    multiclass_accuracy,
    multiclass_calibration_error,
)
from tqdm import tqdm

from measured.bench.__main__ import processor

from .train import (
    BATCH,
    CLASSES,
    CODE,
    EPOCHS,
    IMBALANCE,
    RATE,
    STUDENT,
    TEACHER,
    DataError,
    Runs,
    Setting,
    images_seen,
    load,
)

ROOT = Path(__file__).parents[3]
FOLDER = "/usr/share/datasets/fashion-mnist"
RECORD = Path(__file__).with_name("experiment.json")
SEEDS = range(5)
SMOOTHING = (0.0, 0.05, 0.1, 0.2)
BINS, COVERAGE, LEVEL = 15, 0.8, 0.95
FEW_LABELS = 500  # to fit a temperature on
DRAWS = 20

# The settings, and for each of them those that it is compared with, seed by seed.
SETTINGS, AGAINST = {}, {}


def add(name, *against, **options):
    SETTINGS[name], AGAINST[name] = Setting(**options), against


GRIDS = ("all", "often", "few")
for images in GRIDS:
    for e in SMOOTHING:
        base = [f"{images} 0.0"] if e else []
        add(f"{images} {e}", *base, f"{images} scaled", images=images, smoothing=e)
add("all 0.1 others", "all 0.1", smoothing=0.1, convention="others")
for name, against, e, weights in (
    ("0.0", (), 0.0, "none"),
    ("0.0 rows", ("0.0",), 0.0, "rows"),
    ("0.1", ("0.0",), 0.1, "none"),
    ("0.1 rows", ("0.0 rows",), 0.1, "rows"),
    ("0.1 torch", ("0.1 rows", "0.1"), 0.1, "torch"),
):
    options = {"images": "unbalanced", "smoothing": e, "weights": weights}
    add(f"unbalanced {name}", *(f"unbalanced {other}" for other in against), **options)
add("student", images="often", width=STUDENT)
for e in (0.0, 0.1):
    base = ["teacher 0.0"] if e else []
    options = {"images": "often", "width": TEACHER, "smoothing": e}
    add(f"teacher {e}", *base, "student", **options)
for t in (1.0, 4.0):
    for e in (0.0, 0.1):
        base = [f"student 0.0 at {t}"] if e else []
        options = {"images": "often", "width": STUDENT, "teacher": e, "temperature": t}
        add(f"student {e} at {t}", *base, "student", **options)
for images in ("all", "often"):
    for noise in (0.2, 0.4):
        for e in (0.0, 0.1, 0.2):
            base = [f"{images} noise {noise} 0.0"] if e else []
            if images == "often":  # to stop early is another way to bear noise
                base.append(f"all noise {noise} 0.0")
            options = {"images": images, "noise": noise, "smoothing": e}
            add(f"{images} noise {noise} {e}", *base, **options)
REPEATED = ("all 0.1", "student 0.1 at 4.0", "often noise 0.4 0.1")


def fit_temperature(logits, labels):
    """Return the temperature with which the logits have the least cross entropy."""
    logits = logits.double()
    log_t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_t], max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(logits / log_t.exp(), labels)
        loss.backward()
        return loss

    optimizer.step(closure)
    return log_t.exp().item()


def calibration_error(logits, labels):
    p = logits.softmax(1)
    return multiclass_calibration_error(p, labels, CLASSES, n_bins=BINS, norm="l1")


def error_by_chance(logits):
    """Return the mean calibration error of labels that come up as they are foretold."""
    generator = torch.Generator().manual_seed(0)
    p = logits.softmax(1)
    draws = torch.multinomial(p, DRAWS, replacement=True, generator=generator)
    return statistics.mean(calibration_error(logits, y).item() for y in draws.T)


def risk(confidence, right, coverage):
    """Return the share of errors among the most confident part."""
    kept = confidence.argsort(descending=True, stable=True)
    return 1 - right[kept[: round(coverage * len(kept))]].double().mean()


def measure(setting, run, data):
    """Return the figures of a run, of the images that it was tested on."""
    logits, labels = run["test"].double(), data.test[1]
    confidence, predicted = logits.softmax(1).max(1)
    right = predicted == labels
    figures = {
        "accuracy": right.double().mean(),
        "nll": F.cross_entropy(logits, labels),
        "ece": calibration_error(logits, labels),
        "confidence": confidence.mean(),
        "risk": risk(confidence, right, COVERAGE),
        "auroc of probability": binary_auroc(confidence, right.long()),
        # The sigmoid that torchmetrics takes of a logit would round large ones to 1.
        "auroc of logit": binary_auroc(ranks(logits.amax(1)), right.long()),
    }
    if setting.images == "unbalanced":
        recall = multiclass_accuracy(predicted, labels, CLASSES, average="none")
        figures["recall of commonest"], figures["recall of rarest"] = recall[[0, -1]]
        taken = predicted[labels == 0] == CLASSES - 1
        figures["commonest taken for rarest"] = taken.double().mean()
    # The images held out are clean and balanced: known only where the others are.
    if not setting.noise and setting.images != "unbalanced":
        t = fit_temperature(run["held out"], data.held_out[1])
        figures["temperature"] = t
        figures["scaled nll"] = F.cross_entropy(logits / t, labels)
        figures["scaled ece"] = calibration_error(logits / t, labels)
        figures["scaled ece by chance"] = error_by_chance(logits / t)
        t = fit_temperature(run["held out"][:FEW_LABELS], data.held_out[1][:FEW_LABELS])
        figures["ece scaled on few labels"] = calibration_error(logits / t, labels)
    return {name: round(float(figure), 4) for name, figure in figures.items()}


def ranks(values):
    """Return the rank of each value, from zero to one; equal values have the same."""
    return values.unique(return_inverse=True)[1].double() / len(values)


def spread(values):
    """Return the mean, and the interval of Student's t around it."""
    mean, error = statistics.mean(values), statistics.stdev(values) / len(values) ** 0.5
    half = scipy.stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * error
    ends = {"mean": mean, "low": mean - half, "high": mean + half}
    return {name: round(float(end), 4) for name, end in ends.items()}


def summary(figures):
    """Return what is recorded of each setting, given the figures of its seeds."""
    rows = {}
    # Networks without smoothing are compared as they are, and with a temperature.
    scaled = {
        f"{images} scaled": [
            {name: found[f"scaled {name}"] for name in ("nll", "ece")}
            for found in figures[f"{images} 0.0"]
        ]
        for images in GRIDS
    }
    for name, setting in SETTINGS.items():
        row = {"setting": asdict(setting), "figures": {}}
        for figure in figures[name][0]:
            values = [found[figure] for found in figures[name]]
            row["figures"][figure] = {**spread(values), "seeds": values}
        row["difference"] = {}
        for other in AGAINST[name]:
            pairs = list(zip(figures[name], (figures | scaled)[other], strict=True))
            row["difference"][other] = {
                figure: spread([one[figure] - base[figure] for one, base in pairs])
                for figure in pairs[0][1]
            }
        rows[name] = row
    return rows


def repeat(runs, figures):
    """Train some runs again, and say which of them do not give the same figures."""
    for name in REPEATED:
        again = runs.train(SETTINGS[name], SEEDS[0])
        if measure(SETTINGS[name], again, runs.data) != figures[name][0]:
            yield name


def commit():
    asked = ("git", "describe", "--always", "--dirty", "--abbrev=12")
    return subprocess.check_output(asked, cwd=ROOT, text=True).strip()


def main(folder):
    torch.set_num_threads(1)  # the last digits differ with how many threads there are
    torch.use_deterministic_algorithms(True)
    try:
        data = load(folder)
    except DataError as error:
        sys.exit(str(error))
    with tqdm(unit=" images", unit_scale=True) as bar:
        runs = Runs(ROOT / ".experiment", data, bar.update)
        # Seed by seed, so that what is there early is there of every setting.
        wanted = [(name, seed) for seed in SEEDS for name in SETTINGS]
        left = [one for one in wanted if not runs.path(SETTINGS[one[0]], one[1]).exists()]
        names = [*(name for name, _ in left), *REPEATED]
        bar.total = sum(images_seen(SETTINGS[name], data) for name in names)
        for name, seed in left:
            bar.set_description(f"{name}, seed {seed}")
            runs.get(SETTINGS[name], seed)
        figures = {name: [] for name in SETTINGS}
        for name, seed in wanted:
            run = runs.get(SETTINGS[name], seed)
            figures[name].append(measure(SETTINGS[name], run, data))
        bar.set_description("again")
        changed = list(repeat(runs, figures))
    if changed:
        sys.exit(f"trained again, these give other figures: {', '.join(changed)}")
    record = {
        "processor": processor(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchmetrics": torchmetrics.__version__,
        "commit": commit(),
        "data": data.digest,
        "code": CODE,
        "seeds": list(SEEDS),
        "bins": BINS,
        "coverage": COVERAGE,
        "level": LEVEL,
        "trained on": {
            row.images: images_seen(row, data) // EPOCHS[row.images]
            for row in SETTINGS.values()
        },
        "epochs": EPOCHS,
        "batch": BATCH,
        "rate": RATE,
        "classes": CLASSES,
        "imbalance": IMBALANCE,
        "few labels": FEW_LABELS,
        "held out": len(data.held_out[1]),
        "tested on": len(data.test[1]),
        "repeated": REPEATED,
        "settings": summary(figures),
    }
    # The site reads this file whenever it is built, so it is never there by half.
    unfinished = RECORD.with_suffix(".part")
    unfinished.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    unfinished.replace(RECORD)


if __name__ == "__main__":
    main(*sys.argv[1:] or [FOLDER])
