"""The tables of what other libraries do."""

import pytest
from bs4 import BeautifulSoup
from measured import results
from measured.rosetta.losses import LIBRARIES

from .conftest import Build

TABLES = {
    table: {name for name, library in LIBRARIES.items() if library.table == table}
    for table in ("targets", "two", "former")
}
LABELS = {row["name"] for row in results.LOSSES if row.get("form") == "labels"}
TABLES["behaviour"] = TABLES["targets"] - LABELS
TABLES["sources"] = {*LIBRARIES}
CELLS = """
targets|PyTorch|uniform|0.1|0.1|0.92|0.02|CE|2.13.0
targets|fairseq|others|0.125|0.08|0.9|0.025|CE|0.12.2
targets|labml.ai|others-without-padding|0.1333|0.075|0.9|0.0333|KL|0.5.1
two|Keras, binary|half|0.1|0.1|0.95|0.05|CE|3.15.1
two|torchtune, DPO|swap|0.2|0.05|0.9|0.1|CE|0.6.1
behaviour|Keras|no argument|not tested|last; wrong at 1|finite|mean, sum, none
behaviour|timm|no argument|raises RuntimeError|2-D only; wrong at last|finite|mean
behaviour|Unsloth Zoo|no argument|trained|last|finite|none
behaviour|SpeechBrain, kldiv_loss|no argument|raises RuntimeError|last|finite|\
sum; ‘mean’ gives sum; ‘none’ gives another shape
sources|PyTorch|torch.nn.functional.cross_entropy|package|
sources|timm|timm.loss.cross_entropy.LabelSmoothingCrossEntropy|file|5bd50f7d
sources|MMPretrain|mmpretrain.models.losses.label_smooth_loss.LabelSmoothLoss|\
with stand-ins|96156327
"""


def tables(build: Build) -> dict[str, dict[str, list[str]]]:
    """Build the tables, and return the cells of each, by library."""
    warnings, out = build("\n".join(f"```{{rosetta}} {name}\n```" for name in TABLES))
    assert warnings == ""
    soup = BeautifulSoup((out / "index.html").read_text(encoding="utf-8"), "html.parser")
    found = {}
    for name in TABLES:
        rows = soup.select(f"table.{name} tbody tr")
        texts = [[cell.text for cell in row.find_all("td")] for row in rows]
        found[name] = {text[0]: text[1:] for text in texts}
    return found


def test_a_table_has_its_rows_and_no_number_that_nothing_verifies(build: Build) -> None:
    found = tables(build)
    assert {name: rows.keys() for name, rows in found.items()} == TABLES
    # Not by convention, but as they followed.
    assert next(iter(found["former"])) == "OpenNMT-py, until 3.0.2"
    for line in CELLS.strip().splitlines():
        table, name, *cells = line.split("|")
        assert found[table][name] == cells


def test_a_library_that_did_not_run_shows_its_error(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, row, *others = results.LOSSES
    failed = {key: row[key] for key in ("name", "package", "path")}
    failed["error"] = "no matching distribution"
    both = first | {"dimension": {"1": "right", "last": "right"}}
    monkeypatch.setattr(results, "LOSSES", [both, failed, *others])
    found = tables(build)
    assert found["targets"][row["name"]][0] == "no matching distribution"
    assert row["name"] not in found["behaviour"]
    assert row["name"] in found["sources"]
    assert found["behaviour"][first["name"]][2] == "1 or last"
