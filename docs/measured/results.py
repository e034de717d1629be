"""What was measured, by the short names that the numbers of the pages are tied to.

Means, intervals, differences and ratios are not recorded: they are computed here.
"""

import json
import statistics
import tomllib
from pathlib import Path
from typing import Any

from scipy.special import stdtrit

from label_smoothing import fast as one_pass
from measured import rows
from measured.experiment.settings import NOISE
from measured.experiment.train import STUDENT, TEACHER, USUAL
from measured.rosetta.losses import LIBRARIES, convention

__all__ = [
    "LEVEL", "NOISE", "STUDENT", "TEACHER", "USUAL", "bench", "by_smoothing", "eps",
    "experiment", "libraries_run", "lighthouse", "mean_of", "mutants", "of_settings",
    "oldest", "one_pass", "peaks", "points", "proof", "rosetta", "scores", "seeds",
    "share", "shares", "timed",
]  # fmt: skip

HERE = Path(__file__).parent
bench, experiment, rosetta = (
    json.loads((HERE / program / "conditions.json").read_text("utf-8"))
    for program in ("bench", "experiment", "rosetta")
)
TIMES = rows.read(HERE / "bench" / "times.csv")
PEAKS = rows.read(HERE / "bench" / "peaks.csv")
SHARES = rows.read(HERE / "bench" / "shares.csv")
RUNS = rows.read(HERE / "experiment" / "runs.csv")
LOSSES = rows.read(HERE / "rosetta" / "losses.jsonl")
LEVEL = 0.95  # of the intervals
lighthouse = {row["page"]: row for row in rows.read(HERE / "lighthouse" / "pages.csv")}
# History, of the date and the commit that it names: no build compares it with anything.
proof = rows.read(HERE / "proof.csv")[0]

PYPROJECT = tomllib.loads((HERE.parents[1] / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
ASKED = {"python": PROJECT["requires-python"], "torch": PROJECT["dependencies"][0]}
# The oldest releases that the package allows.
oldest = {name: float(asked.rpartition(">=")[2]) for name, asked in ASKED.items()}


def those(recorded: list[rows.Row], **values: object) -> list[rows.Row]:
    """Return the rows that have these values."""
    if found := [row for row in recorded if values.items() <= row.items()]:
        return found
    raise KeyError(f"no row has {values}")


def timed(memory: str, group: str) -> list[dict[str, Any]]:
    """Return what was timed: a shape, and of each contestant median, least and most."""
    cases: dict[str, dict[str, Any]] = {}
    for row in those(TIMES, memory=memory, group=group):
        sizes = [int(size) for size in row["shape"].split(" x ")]
        case = cases.setdefault(row["shape"], {"shape": sizes, "seconds": {}})
        case["seconds"][row["name"]] = [row[n] for n in ("median", "least", "most")]
    return list(cases.values())


def share(name: str, memory: str = "new") -> float:
    """Return the share of the time of PyTorch's own loss, for the largest shape."""
    seconds = timed(memory, "sizes")[-1]["seconds"]
    return float(seconds[name][0] / seconds["torch"][0])


def shares(memory: str) -> dict[str, dict[str, float]]:
    """Return the share of the time of PyTorch's own loss in each situation, both ways."""
    found: dict[str, dict[str, float]] = {}
    for row in those(SHARES, memory=memory):
        words = str(row["shape"]).replace("x", "×"), row["dtype"], row.get("form", "")
        name = ", ".join(filter(None, words))
        found.setdefault(name, {})[row["passes"]] = row["ours"] / row["torch"]
    return found


def peaks(of: str) -> dict[str, float]:
    """Return how far memory rises in each contestant, over the size of the logits."""
    return {row["name"]: row["peak"] for row in those(PEAKS, of=of)}


def runs(name: str) -> list[rows.Row]:
    """Return the runs of a setting, one of each seed."""
    return those(RUNS, name=name)


seeds = len(runs(RUNS[0]["name"]))


def eps(name: str) -> float:
    """Return the smoothing of a setting."""
    return float(runs(name)[0]["smoothing"])


def spread(values: list[float]) -> dict[str, float]:
    """Return the mean, and the interval of Student's t around it, with four digits."""
    mean, error = statistics.mean(values), statistics.stdev(values) / len(values) ** 0.5
    half = float(stdtrit(len(values) - 1, (1 + LEVEL) / 2)) * error
    ends = {"mean": mean, "low": mean - half, "high": mean + half}
    return {name: round(end, 4) for name, end in ends.items()}


def figure_of(name: str, figure: str) -> dict[str, float]:
    """Return the mean of a figure over the seeds, and its interval."""
    return spread([row[figure] for row in runs(name)])


def mean_of(name: str, figure: str) -> float:
    """Return the mean of a figure over the seeds."""
    return figure_of(name, figure)["mean"]


def points(name: str, figure: str, base: str, of_base: str = "") -> list[float]:
    """Return how far a figure is above that of a base, or above another of the base.

    It is the mean of the differences of each seed and its interval, in percentage points.
    """
    pairs = zip(runs(name), runs(base), strict=True)
    found = spread([one[figure] - other[of_base or figure] for one, other in pairs])
    return [100 * value for value in found.values()]


def by_smoothing(group: str, figure: str) -> dict[str, dict[str, float]]:
    """Return a figure at each smoothing, of the settings of a group."""
    grouped = [row | {"group": row["name"].rpartition(" ")[0]} for row in RUNS]
    names = dict.fromkeys(row["name"] for row in those(grouped, group=group))
    return {f"ε = {eps(name):g}": figure_of(name, figure) for name in names}


def of_settings(figure: str, **names: str) -> dict[str, dict[str, float]]:
    """Return a figure of some settings, each under another name."""
    return {key.replace("_", " "): figure_of(of, figure) for key, of in names.items()}


def libraries_run(unlike_torch: bool = False) -> int:
    """Return how many libraries were run, or how many of them have another target."""
    alike = ("uniform", "half") if unlike_torch else ()
    latest = [row for row in LOSSES if LIBRARIES[row["name"]].table != "former"]
    found = [row for row in latest if "error" not in row and convention(row) not in alike]
    return len({row["package"] for row in found})


def mutants(count: str) -> int:
    """Return how many changes of the library were made, caught, or are equivalent."""
    return sum(row[count] for row in rows.read(HERE / "mutants" / "counts.csv"))


def scores(name: str) -> list[float]:
    """Return what Lighthouse gives each page."""
    return [page[name] for page in lighthouse.values()]
