"""What is measured is kept one row a line, so that a diff says which value moved.

Flat rows are CSV, nested ones are JSON lines. What holds for all rows of a program, such
as versions, is in ``conditions.json`` beside them.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def read(path: Path) -> list[Row]:
    """Return the rows of a file; an empty cell of CSV is left out of its row."""
    text = path.read_text("utf-8")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return [
        {name: value(cell) for name, cell in row.items() if cell}
        for row in csv.DictReader(io.StringIO(text))
    ]


def value(cell: str) -> Any:
    """Return the number that is written as this cell, or else its text."""
    for kind in (int, float):
        with suppress(ValueError):
            if str(number := kind(cell)) == cell:
                return number
    return cell  # such as 12e4 or 007: a hash, or a name


def write(path: Path, rows: Sequence[Row], conditions: Row | None = None) -> None:
    """Write the rows to a file, and what holds for all of them."""
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            file.writelines(f"{json.dumps(row)}\n" for row in rows)
        else:
            names = dict.fromkeys(name for row in rows for name in row)
            writer = csv.DictWriter(file, list(names), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    if conditions:
        text = json.dumps(conditions, indent=1)
        path.with_name("conditions.json").write_text(f"{text}\n", "utf-8")


def differences(found: Iterable[Row], recorded: Iterable[Row]) -> Iterator[str]:
    """Say of each row, by its first value, in which way it is not as it was."""
    was = {next(iter(row.values())): row for row in recorded}
    for row in found:
        name = next(iter(row.values()))
        old = was.pop(name, {})
        for key in sorted(row.keys() | old):
            if row.get(key) != old.get(key):
                yield f"{name}: {key}: {old.get(key)} is now {row.get(key)}"
    yield from (f"{name}: was there" for name in was)


def processor() -> str:
    """Return the name of the processor, as Linux knows it."""
    info = Path("/proc/cpuinfo").read_text()
    return str(re.findall(r"model name\s*: (.*)", info)[0])
