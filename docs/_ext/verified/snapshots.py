"""What ran on each page, and what it printed and drew, compared with ``record.json``.

Examples, cells and scripts are counted, so that none is lost unseen. What a script or a
notebook prints is not written by an author, and what a drawing says of itself is not
either: the record keeps it, so that no digit of it moves unseen.

``-D record=1`` writes the record anew.
"""

import itertools
import json
from pathlib import Path

import matplotlib.pyplot as plt
from docutils import nodes
from sphinx.ext import doctest
from sphinx.ext.doctest import DocTestBuilder, SphinxDocTestRunner

from verified.code import is_cell, is_gallery_code, is_output
from verified.pages import is_drawn
from verified.places import warn, written


def captured(tree, name):
    """Return what ran while the page was read, and what came out."""
    blocks = list(tree.findall(nodes.literal_block))
    outputs = [block.astext() for block in blocks if is_output(block, name)]
    light = [n for n in tree.findall(is_drawn) if "only-dark" not in n["classes"]]
    found = {
        "cells": sum(
            bool(cell["exec_count"])
            for cell in tree.findall(
                lambda n: isinstance(n, nodes.Element) and is_cell(n)
            )
        ),
        "scripts": sum(is_gallery_code(block, name) for block in blocks),
        "outputs": [line for text in outputs for line in text.splitlines()],
        "drawings": [image["alt"] for image in light],
    }
    return {kind: value for kind, value in found.items() if value}


def read(app):
    path = Path(app.srcdir, "record.json")
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def source_of(page):
    """Return the script that a page of the gallery was made of, or the page."""
    script = page.replace("auto_examples/", "examples/") + ".py"
    return page if script == f"{page}.py" else script


def compare(page, ran, recorded):
    """Say where a page differs from its record."""
    for kind in sorted(ran.keys() | recorded):
        new, old = ran.get(kind), recorded.get(kind)
        if isinstance(new or old, list):
            pairs = list(itertools.zip_longest(new or [], old or []))
        else:
            pairs = [(new, old)]
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


class Runner(SphinxDocTestRunner):
    """Tells the line of a snippet that fails: Sphinx counts it twice."""

    def _failure_header(self, test, example):
        if len(test.examples) == 1 and example.lineno == test.lineno:
            example.lineno = 0
        return super()._failure_header(test, example)


class Recording(DocTestBuilder):
    """The doctest builder, which also keeps what ran on each page."""

    def init(self):
        super().init()
        self.ran = {}

    def get_filename_for_node(self, node, docname):
        place = written(node, "")
        return (
            place.rpartition(":")[0]
            if place
            else super().get_filename_for_node(node, docname)
        )

    def get_line_number(self, node):
        place = written(node, node.astext().partition("\n")[0])
        return (
            int(place.rpartition(":")[2]) - 1 if place else super().get_line_number(node)
        )

    def test_group(self, group):
        plt.close("all")  # or matplotlib warns of too many
        return super().test_group(group)

    def test_doc(self, docname, doctree):
        before = self.total_tries
        success = super().test_doc(docname, doctree)
        examples = self.total_tries - before
        ran = {"examples": examples} if examples else {}
        self.ran[docname] = ran | captured(doctree, docname)
        return success


def finish(app, error):
    if error or app.builder.name != "doctest":
        return
    ran = {page: found for page, found in sorted(app.builder.ran.items()) if found}
    if app.config.record:
        Path(app.srcdir, "record.json").write_text(
            json.dumps(ran, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        return
    recorded = read(app)
    for page in sorted(ran.keys() | recorded):
        compare(page, ran.get(page, {}), recorded.get(page, {}))


def setup(app):
    app.add_config_value("record", False, "")
    doctest.SphinxDocTestRunner = Runner
    app.add_builder(Recording, override=True)
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
