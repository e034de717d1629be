"""How what is measured is kept, and what is computed of it."""

from pathlib import Path

import pytest
from measured import results, rows


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_rows_are_read_as_they_were_written(tmp_path: Path, name: str) -> None:
    found = [
        {"name": "a 0.1, b", "n": 3, "x": 1e-05},
        {"name": "12e4", "n": 0, "y": -0.25},
    ]
    rows.write(tmp_path / name, found, {"torch": "2.13.0"})
    assert rows.read(tmp_path / name) == found
    assert len((tmp_path / name).read_text().splitlines()) == 2 + (name == "rows.csv")
    assert (tmp_path / "conditions.json").read_text() == '{\n "torch": "2.13.0"\n}\n'


def test_each_difference_is_named() -> None:
    recorded = [{"name": "a", "form": "CE"}, {"name": "b"}, {"name": "c"}]
    found = [{"name": "a", "form": "KL"}, {"name": "b"}, {"name": "d"}]
    assert list(rows.differences(found, recorded)) == [
        "a: form: CE is now KL",
        "d: name: None is now d",
        "c: was there",
    ]


def test_the_interval_is_that_of_student() -> None:
    half = 2.7764 * (2.5 / 5) ** 0.5
    ends = {"mean": 3, "low": round(3 - half, 4), "high": round(3 + half, 4)}
    assert results.spread([1, 2, 3, 4, 5]) == ends


def test_a_difference_is_paired_by_seed() -> None:
    one, base = ([row["ece"] for row in results.runs(f"all {e}")] for e in (0.1, 0.0))
    pairs = results.spread([a - b for a, b in zip(one, base, strict=True)])
    expected = [100 * value for value in pairs.values()]
    assert results.points("all 0.1", "ece", "all 0.0") == expected


@pytest.mark.parametrize(
    ("function", "given"),
    [
        ("timed", ("old", "sizes")),
        ("timed", ("new", "large")),
        ("peaks", ("tail",)),
        ("runs", ("all 0.3",)),
        ("points", ("all 0.1", "ece", "all 0.3")),
        ("by_smoothing", ("seldom", "ece")),
    ],
)
def test_a_name_that_no_row_has_is_an_error(
    function: str, given: tuple[str, ...]
) -> None:
    with pytest.raises(KeyError, match="no row has"):
        getattr(results, function)(*given)
