"""The directive ``recorded``: a script that the build does not run, and its output.

``{recorded} frameworks/train_timm.py`` shows the script and its output, as
``nox -s frameworks`` has recorded it in ``scripts.jsonl``. A script that is not the one
that was run is an error, and so is an output that is not the one that was recorded.
"""

from pathlib import Path

from docutils import nodes
from measured import rows
from measured.frameworks.__main__ import fingerprint
from sphinx.util.docutils import SphinxDirective

RECORD = "measured/frameworks/scripts.jsonl"
AGAIN = "run nox -s frameworks -- --record"


class Recorded(SphinxDirective):
    """A script, the versions that it ran with, and its output."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the script, the versions, and the output."""
        script, _ = self.env.relfn2path(self.arguments[0])
        text, recorded = self.find(script).read_text("utf-8"), self.find(RECORD)
        row = {row["script"]: row for row in rows.read(recorded)}.get(Path(script).name)
        if row is None:
            raise self.error(f"recorded: {RECORD} does not have {script}: {AGAIN}")
        if row["sha256"] != fingerprint(text, row):
            raise self.error(
                f"recorded: {script} is not the script that ran, or {RECORD} "
                f"not what was recorded: {AGAIN}"
            )
        versions = " and ".join(map(" ".join, row["versions"].items()))
        return [
            self.block(text.rstrip("\n"), "python", "program"),
            nodes.paragraph("", f"With {versions} it prints:", classes=["recorded"]),
            self.block("\n".join(row["printed"]), "none", "recorded"),
        ]

    def find(self, name: str) -> Path:
        """Return the path of a file that the page depends on."""
        self.env.note_dependency(name)
        path = Path(self.env.srcdir, name)
        if not path.exists():
            raise self.error(f"recorded: there is no {name}: {AGAIN}")
        return path

    def block(self, text: str, language: str, kind: str) -> nodes.literal_block:
        """Return a block of the page that says what it is."""
        block = nodes.literal_block(text, text, language=language, classes=["recorded"])
        block["kind"] = kind
        self.set_source_info(block)
        return block
