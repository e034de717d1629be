"""What ran on each page, and what it printed and drew, compared with ``record.json``.

Examples, cells and scripts are counted, so that none gets lost. What a script or a
notebook prints is not written by an author, and what a drawing says about itself is not
either: the record keeps it, so that no digit of it changes without a warning.

``-D record=1`` writes the record again.
"""

import itertools
import json
import re
from doctest import DocTest, Example
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext import doctest
from sphinx.util.parallel import ParallelTasks, SerialTasks, parallel_available
from sphinx.util.typing import ExtensionMetadata

from verified import code, pages, repository
from verified.code import is_cell, is_gallery_code, is_output
from verified.pages import is_drawn
from verified.places import log, warn, written

RECORD = "record.json"
Ran = dict[str, Any]


def captured(tree: nodes.Node, name: str) -> Ran:
    """Return what ran while the page was read, and what came out."""
    blocks = list(tree.findall(nodes.literal_block))
    outputs = [block.astext() for block in blocks if is_output(block, name)]
    cells = filter(is_cell, tree.findall(nodes.container))
    drawn = filter(is_drawn, tree.findall(nodes.image))
    found = {
        "cells": sum(bool(cell["exec_count"]) for cell in cells),
        "scripts": sum(is_gallery_code(block, name) for block in blocks),
        "outputs": [line for text in outputs for line in text.splitlines()],
        "drawings": [i["alt"] for i in drawn if "only-dark" not in i["classes"]],
    }
    return {kind: value for kind, value in found.items() if value}


def read(app: Sphinx) -> dict[str, Ran]:
    """Return the record: by page, what ran and what came out."""
    path = Path(app.srcdir, RECORD)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def source_of(page: str) -> str:
    """Return the script that a page of the gallery was made of, or the page."""
    script = page.replace("auto_examples/", "examples/") + ".py"
    return page if script == f"{page}.py" else f"{script}:1"


def compare(page: str, ran: Ran, recorded: Ran) -> None:
    """Warn about everything on a page that is not as its record says."""
    for kind in sorted(ran.keys() | recorded):
        new, old = ran.get(kind), recorded.get(kind)
        lists = isinstance(new or old, list)
        pairs = itertools.zip_longest(new or [], old or []) if lists else [(new, old)]
        for now, was in pairs:
            if now != was:
                warn(
                    "%s: the build has %r, record.json %r; is it meant? "
                    "Then record it: nox -s docs -- --record",
                    kind,
                    now,
                    was,
                    location=source_of(page),
                )


class Runner(doctest.SphinxDocTestRunner):
    """Says where a snippet fails, without a line of stars, and with its own line."""

    def _failure_header(self, test: DocTest, example: Example) -> str:
        if len(test.examples) == 1 and example.lineno == test.lineno:
            example.lineno = 0  # or Sphinx adds it to itself
        header: str = super()._failure_header(test, example)  # type: ignore[misc]
        return header.removeprefix(f"{self.DIVIDER}\n")


class Recording(doctest.DocTestBuilder):
    """Runs the examples of a page, and keeps what ran."""

    def init(self) -> None:
        """Start without results; the report of Sphinx is no page of the site."""
        self.outdir = self.doctreedir
        super().init()
        self.ran: dict[str, Ran] = {}

    def test_group(self, group: doctest.TestGroup) -> bool:
        """Run one snippet, without the figures of the one before it."""
        plt.close("all")  # or matplotlib warns of too many
        return super().test_group(group)

    def test_doc(self, docname: str, doctree: nodes.Node) -> bool:
        """Run the examples of a page, each with its place in the file of an author."""
        for node in doctree.findall(doctest._condition_with_doctest):
            place = written(node, node.astext().partition("\n")[0])
            if place:
                node.source, _, line = place.rpartition(":")
                node.line = int(line)
        before = self.total_tries
        success = super().test_doc(docname, doctree)
        examples = self.total_tries - before
        ran: Ran = {"examples": examples} if examples else {}
        self.ran[docname] = ran | captured(doctree, docname)
        return success

    def _warn_out(self, text: str) -> None:
        place = re.search('File "(.+)", line (.+), in', text)
        log.warning(text, location=place and ":".join(place.groups()))


def verify(app: Sphinx) -> None:
    """Check every page, run its examples, and compare what ran with the record."""
    for module in (code, pages, repository):
        module.check(app, app.env)
    examples = Recording(app, app.env)
    examples.init()
    examples.write_documents(app.env.found_docs)
    examples.finish()
    ran = {page: found for page, found in sorted(examples.ran.items()) if found}
    if app.config.record:
        text = json.dumps(ran, indent=1, ensure_ascii=False)
        Path(app.srcdir, RECORD).write_text(f"{text}\n", encoding="utf-8")
        return
    recorded = read(app)
    for page in sorted(ran.keys() | recorded):
        compare(page, ran.get(page, {}), recorded.get(page, {}))


def start(app: Sphinx, env: BuildEnvironment) -> None:
    """Verify the pages in a second process, while this one writes them; no preview."""
    if app.builder.format == "html" and "preview" not in app.tags:
        # A fork waits for ever for threads that torch had before it.
        can_fork = parallel_available and torch.get_num_threads() == 1
        tasks = ParallelTasks(1) if can_fork else SerialTasks()
        tasks.add_task(verify, app)
        app.connect("build-finished", lambda app, error: tasks.join(), priority=900)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the check of every page, and the setting that renews the record."""
    app.add_config_value("record", False, "")
    doctest.SphinxDocTestRunner = Runner  # type: ignore[misc]
    app.connect("env-check-consistency", start)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
