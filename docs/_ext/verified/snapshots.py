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
from sphinx.util.parallel import ParallelTasks, parallel_available

from verified import code, repository
from verified.code import blocks, cells
from verified.pages import Page, is_drawn
from verified.places import log, script_of, warn, written

RECORD = "record.json"
Ran = dict[str, Any]


def captured(tree: nodes.Node) -> Ran:
    """Return what ran while the page was read, and what came out."""
    outputs = [block.astext() for block in blocks(tree) if block["kind"] == "captured"]
    drawn = filter(is_drawn, tree.findall(nodes.image))
    found = {
        "cells": sum(bool(cell["exec_count"]) for cell in cells(tree)),
        "scripts": sum(block["kind"] == "script" for block in blocks(tree)),
        "outputs": [line for text in outputs for line in text.splitlines()],
        "drawings": [i["alt"] for i in drawn if "only-dark" not in i["classes"]],
    }
    return {kind: value for kind, value in found.items() if value}


def compare(path: Path, ran: Ran, recorded: Ran) -> None:
    """Warn about everything on a page that is not as its record says."""
    script = script_of(str(path))
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
                    location=f"{script if script.exists() else path}:1",
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
        self.ran[docname] = ran | captured(doctree)
        return success

    def _warn_out(self, text: str) -> None:
        place = re.search('File "(.+)", line (.+), in', text)
        log.warning(text, location=place and ":".join(place.groups()))


def verify(app: Sphinx) -> None:
    """Check every page, run its examples, and compare what ran with the record."""
    examples = Recording(app, app.env)
    examples.init()
    for page in [*sorted(app.env.found_docs), *repository.read(app)]:
        tree = app.env.get_doctree(page)
        code.check(app.env.doc2path(page), tree)
        Page(app.env, page, tree).check()
        examples.test_doc(page, tree)
    examples.finish()
    ran = {page: found for page, found in sorted(examples.ran.items()) if found}
    record = Path(app.srcdir, RECORD)
    if app.config.record:
        text = json.dumps(ran, indent=1, ensure_ascii=False)
        record.write_text(f"{text}\n", encoding="utf-8")
        return
    recorded = json.loads(record.read_text("utf-8")) if record.exists() else {}
    for page in sorted(ran.keys() | recorded):
        path = app.env.doc2path(page)
        compare(path, ran.get(page, {}), recorded.get(page, {}))


def start(app: Sphinx, env: BuildEnvironment) -> None:
    """Verify the pages in a second process, while this one writes them; no preview."""
    if app.builder.format != "html" or "preview" in app.tags:
        return
    # A fork waits for ever for threads that torch had before it.
    if not parallel_available or torch.get_num_threads() > 1:
        verify(app)
        return
    tasks = ParallelTasks(1)
    tasks.add_task(verify, app)

    def finish(app: Sphinx, error: Exception | None) -> None:
        if error:
            tasks.terminate()
        else:
            tasks.join()

    app.connect("build-finished", finish, priority=900)


def setup(app: Sphinx) -> None:
    """Register the check of every page, and the setting that renews the record."""
    app.add_config_value("record", False, "")
    doctest.SphinxDocTestRunner = Runner  # type: ignore[misc]
    app.connect("env-check-consistency", start)
