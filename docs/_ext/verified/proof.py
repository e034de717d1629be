"""Proof that a wrong number is caught: flip the digits of each, and see a warning.

The builder ``proof`` takes every claim of every page from the tree that the build reads,
flips one digit after the other, and runs the checks of the build on the tree: it compares
the tie, or runs the example. What causes no warning survives, and fails the proof.

The build reads a page the same way whatever its digits are. That it does is seen by
``proof_whole``, which flips digits in the sources, for the whole build to catch.
"""

import datetime
import gc
import itertools
import json
import logging
import os
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from docutils import nodes
from measured import rows
from sphinx.application import Sphinx
from sphinx.util.logging import LogCollector
from sphinx.util.parallel import ParallelTasks

from verified import code, repository
from verified.claims import Claim, claims
from verified.numbers import find
from verified.pages import Page, is_tied
from verified.places import written
from verified.snapshots import Recording

Found = tuple[str, list[str], int]  # a page, what survives, and how many flips


def warnings_of(check: Callable[[], object]) -> list[str]:
    """Return what a check warns of, instead of showing it."""
    collector = LogCollector()
    with collector.collect():
        check()
    logs = [log for log in collector.logs if log.levelno >= logging.WARNING]
    return [log.getMessage() for log in logs]


def flips(claim: Claim) -> Iterator[str]:
    """Yield the words of a claim with one digit flipped, for each digit of its number."""
    for at in range(claim.start, claim.end):
        if claim.words[at].isdigit():
            digit = str((int(claim.words[at]) + 1) % 10)
            yield claim.words[:at] + digit + claim.words[at + 1 :]


class Proof(Recording):
    """Flip each digit of each claim, and demand a warning."""

    name = "proof"
    epilog = ""

    def write_documents(self, docnames: object) -> None:
        """Prove all pages, on all cores."""
        self.root = Path(self.srcdir).parent
        pages = sorted(self.env.found_docs) + repository.read(self._app)
        if self.config.proof_whole:
            self.write_sample(pages, self.config.proof_whole)
            return
        gc.freeze()  # or each worker would search all of the site for garbage
        # Other threads do not outlive a fork, and torch would wait for them.
        torch.set_num_threads(1)
        results: list[Found] = []
        tasks = ParallelTasks(os.cpu_count() or 1)
        for page in pages:
            tasks.add_task(self.prove, page, lambda _, found: results.append(found))
        tasks.join()
        self.report(sorted(results))

    def prove(self, name: str) -> Found:
        """Return the flips of a page that no check catches."""
        tree = self.env.get_doctree(name)
        page = Page(self.env, name, tree)
        self.passed: set[str] = set()
        if wrong := self.caught(page, None):
            raise RuntimeError(f"{name} as it is: {wrong}")
        survivors, count = [], 0
        for claim in claims(tree):
            for words in flips(claim):
                claim.say(words)
                count += 1
                if not self.caught(page, claim.node):
                    number = claim.words[claim.start : claim.end]
                    survivors.append(f"{self.place(claim, name)}: {number}: {words}")
            claim.say(claim.words)
        return name, survivors, count

    def caught(self, page: Page, node: nodes.Element | None) -> list[str]:
        """Return the warnings about a node, or about the whole page."""
        checks: list[Callable[[], object]] = [
            partial(self.test_doc, page.name, page.tree),
            partial(code.check, self.env.doc2path(page.name), page.tree),
            lambda: Page(self.env, page.name, page.tree).check(),
        ]
        if node is not None and is_tied(node):
            checks = [partial(page.check_tie, node)]
        return next(filter(None, map(warnings_of, checks)), [])

    def test_group(self, group: Any) -> bool:
        """Run the examples that have not been seen to pass in the very same words."""
        key = repr([[code and code.code for code in test] for test in group.tests])
        if key in self.passed:
            return True
        passed = bool(super().test_group(group))
        self.passed |= {key} if passed else set()
        return passed

    def place(self, claim: Claim, page: str) -> str:
        """Return the file and the line of a claim."""
        words = claim.words[claim.start : claim.end]
        node: Any = claim.node
        while node.line is None and node.parent is not None:
            node = node.parent
        return written(node, words) or f"{self.env.doc2path(page)}:{node.line or 1}"

    def report(self, results: list[Found]) -> None:
        """Print what was caught, by page, and keep the sums if that is asked for."""
        total = 0
        for page, survivors, count in results:
            total += count
            if count:
                print(f"{count - len(survivors):5} / {count:<5} {page}")
            for survivor in survivors:
                print(f"survived: {survivor}")
                self._app.statuscode = 1
        print(f"{total:5} digits in all")
        if self.config.proof_record and not self._app.statuscode:
            today = datetime.datetime.now(datetime.UTC).date()
            row = {"date": today, "commit": self.config.proof_record, "flipped": total}
            rows.write(Path(self.srcdir, "measured", "proof.csv"), [row])

    def write_sample(self, pages: list[str], size: int) -> None:
        """Write some flips as whole files, for the whole build to catch."""
        drawn = [
            (self.place(claim, page), claim, words)
            for page in pages
            for claim in claims(self.env.get_doctree(page))
            for words in flips(claim)
        ]
        drawn = random.Random(0).sample(drawn, size)
        sample = [flip for flip in itertools.starmap(self.in_source, drawn) if flip]
        if lost := size - len(sample):
            print(
                f"{lost} of {size} flips are left out: their source is written otherwise"
            )
        Path(self.outdir, "sample.json").write_text(json.dumps(sample))

    def in_source(self, place: str, claim: Claim, words: str) -> dict[str, str] | None:
        """Return a flip as the text of its file, if the row of the claim is found."""
        file, _, line = place.rpartition(":")
        lines = Path(file).read_text(encoding="utf-8").splitlines(keepends=True)
        row = claim.words.count("\n", 0, claim.start)
        old, new = (text.splitlines()[row].strip() for text in (claim.words, words))
        if is_tied(claim.node):
            old, new = (f"`{text} :=" for text in (old, new))
        is_block = "kind" in claim.node
        found = [
            number
            for number, text in enumerate(lines)
            if (text.strip() == old if is_block else find(old, text))
        ]
        # The line of what is nested may be too high or too low.
        found = [number for number in found if number >= int(line) - 1] or found
        if not found:
            return None
        at = found[0]
        lines[at] = lines[at].replace(old, new, 1)
        path = str(Path(file).resolve().relative_to(self.root))
        return {"name": f"{path}:{at + 1}: {new}", "path": path, "text": "".join(lines)}


def setup(app: Sphinx) -> None:
    """Register the builder."""
    app.add_config_value("proof_record", "", "", str)
    app.add_config_value("proof_whole", 0, "", int)
    app.add_builder(Proof)
