"""Proof that a wrong number is caught: flip a digit of each, and see the site turn red.

The builder ``proof`` takes every number of every source file of the site, flips one of
its digits, and verifies the page again as the build does: it reads the page, computes its
numbers, runs the examples that changed. Whatever causes no warning is a survivor, and
fails the proof.

It writes into the files that it proves, so it runs on a copy of the repository. What it
finds is kept in ``proof.json``, and the directive ``proof`` shows it.
"""

import ast
import doctest
import functools
import gc
import importlib
import itertools
import json
import logging
import multiprocessing
import random
import re
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from sphinx_gallery.gen_rst import generate_file_rst

from verified.code import check_page, has_output
from verified.pages import NAME, NUMBER, ROLES, Page, is_decimal, numbers
from verified.repository import NAMES as READMES
from verified.repository import check_readme, printed_by
from verified.snapshots import Recording, captured, compare, read

PROOF = "measured/proof.json"
INCLUDED = {"CHANGELOG.md": "reference/changelog"}

ALL, DECIMALS, NONE = "all", "decimals", "none"
TIE = "|".join(ROLES)
FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<kind>\S*)[^\n]*\n(?P<body>.*?)^(?P=fence)$", re.M | re.S
)
CODE = {"testcode", "testoutput", "doctest", "code-cell", "python", "text", "markdown"}
# What a text holds besides words, and which of its numbers are claims.
MARKDOWN = [
    (re.compile(rf"\{{(?:{TIE})\}}`[^`]*`"), ALL),
    (re.compile(r"\[[^\]]*(?=\]\(\w+://)"), ALL),
    (re.compile(r"\]\([^)]*\)|^\[[^\]]+\]: .*$|\w+://\S+", re.M), NONE),
    (re.compile(r"\{[\w:-]+\}`[^`]*`"), NONE),
    (re.compile(r"^ {4}\S.*$", re.M), DECIMALS),
    (re.compile(r"^\d+\. |^:+\{grid\}.*$|^:(?:gutter|header-rows):.*$", re.M), NONE),
    (re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$|(`+)[^`].*?\1", re.S), DECIMALS),
]
REST = [
    (re.compile(rf":(?:{TIE}):`[^`]*`"), ALL),
    (re.compile(r"<\w+://[^>]*>|\w+://\S+"), NONE),
    (re.compile(r":[\w:-]+:`[^`]*`"), NONE),
    (re.compile(r"``.+?``", re.S), DECIMALS),
    (re.compile(r"\.\. math::.*?(?=\n[ #]*\n|\Z)", re.S), DECIMALS),
]
IDENTIFIER = re.compile(r"(?<!\w)[^\W\d]\w*")
PROMPT = re.compile(r"^ *(>>>|\.\.\.) ")
ANNOTE = re.compile(r"annote = \{(.*?)\},?$", re.M | re.S)


def blank(pattern, text):
    return pattern.sub(lambda match: " " * len(match[0]), text)


class Source:
    """A source file, and where its numbers stand."""

    def __init__(self, path, text):
        self.path, self.text = path, text
        self.spans = []
        if path.suffix == ".bib":
            for annote in ANNOTE.finditer(text):
                self.prose(*annote.span(1), [])
        elif path.suffix == ".md":
            self.markdown()
        elif path.suffix == ".rst":
            self.prose(0, len(text), REST)
        elif path.parts[0] == "examples":
            self.script()
        elif path.parts[0] == "docs":
            self.code(0, len(text))
        else:
            self.docstrings()
        self.spans.sort()

    def add(self, start, end, text, wanted=ALL):
        for match in NUMBER.finditer(text, start, end):
            if match[0].lstrip("-−") in ("inf", "nan"):
                continue
            if wanted == ALL or (wanted == DECIMALS and is_decimal(match[0])):
                self.spans.append(match.span())

    def prose(self, start, end, markup):
        text = self.text[:start] + blank(NAME, self.text[start:end]) + self.text[end:]
        for pattern, wanted in markup:
            for match in pattern.finditer(text, start, end):
                self.add(*match.span(), text, wanted)
                text = text[: match.start()] + " " * len(match[0]) + text[match.end() :]
        self.add(start, end, text)

    def code(self, start, end):
        self.add(start, end, blank(IDENTIFIER, self.text))

    def markdown(self):
        last = 0
        for fence in FENCE.finditer(self.text):
            self.prose(last, fence.start(), MARKDOWN)
            kind, body = fence["kind"].strip("{}"), fence.span("body")
            if kind in CODE or (kind == "console" and has_output(fence["body"])):
                self.code(*body)
            elif kind == "drawing":
                self.code(fence.end("kind"), body[0])
                self.prose(*body, MARKDOWN)
            elif kind not in ("math", "console"):
                self.prose(fence.end("kind"), fence.end(), MARKDOWN)
            last = fence.end()
        self.prose(last, len(self.text), MARKDOWN)

    def script(self):
        end = self.text.index('"""', 3)
        lines = self.text.splitlines(keepends=True)
        starts = itertools.accumulate(map(len, lines), initial=0)
        self.blocks(
            (at, at + len(line), at > end and not line.startswith("#"))
            for at, line in zip(starts, lines, strict=False)
        )

    def docstrings(self):
        lines = self.text.splitlines(keepends=True)
        starts = list(itertools.accumulate(map(len, lines), initial=0))
        for _, node in documented(ast.parse(self.text)):
            spans, runs = [], False
            for at in range(node.lineno - 1, node.end_lineno):
                runs = bool(PROMPT.match(lines[at])) or (runs and bool(lines[at].strip()))
                spans.append((starts[at], starts[at + 1], runs))
            self.blocks(spans)

    def blocks(self, lines):
        """Read lines together that follow each other and are of one kind."""
        for is_code, block in itertools.groupby(lines, key=lambda line: line[2]):
            spans = list(block)
            if is_code:
                self.code(spans[0][0], spans[-1][1])
            else:
                self.prose(spans[0][0], spans[-1][1], REST)

    def line(self, at):
        return self.text.count("\n", 0, at) + 1

    def mutants(self, every_digit):
        """Yield each number, with one digit flipped: the last, or each in turn."""
        for start, end in self.spans:
            places = [at for at in range(start, end) if self.text[at].isdigit()]
            for at in places if every_digit else places[-1:]:
                flipped = str((int(self.text[at]) + 1) % 10)
                yield Mutant(self, start, end, at, flipped)


class Mutant:
    """A source file with one digit flipped."""

    def __init__(self, source, start, end, at, flipped):
        self.text = source.text[:at] + flipped + source.text[at + 1 :]
        self.path, self.line = source.path, source.line(at)
        self.found, self.flipped = source.text[start:end], self.text[start:end]

    def __str__(self):
        return f"{self.path}:{self.line}: {self.found} -> {self.flipped}"


def documented(tree, name=""):
    """Yield every docstring of a module: the name of what it documents, and its node."""
    if ast.get_docstring(tree, clean=False) is not None:
        yield name, tree.body[0].value
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield from documented(node, f"{name}.{node.name}".lstrip("."))


def sources(root):
    """Return every source file of the site that holds a number."""
    paths = [
        *(root / name for name in (*READMES, *INCLUDED, "docs/references.bib")),
        *(root / "docs").rglob("*.md"),
        *(root / "docs" / "guides").rglob("*.py"),
        root / "docs" / "measured" / "frameworks" / "scripts.jsonl",
        *(root / "examples").rglob("*.py"),
        *(root / "examples").rglob("*.rst"),
        *(root / "src").rglob("*.py"),
    ]
    built = root / "docs" / "_build", root / "docs" / "auto_examples"
    found = []
    for path in sorted(paths):
        if path.exists() and not any(map(path.is_relative_to, built)):
            text = path.read_text(encoding="utf-8")
            found.append(Source(path.relative_to(root), text))
    return [source for source in found if source.spans]


def code_of(path, text):
    """Return the code of a script, or of the cells of a notebook."""
    if path.parts[0] == "examples" and path.suffix == ".py":
        return text
    fences = FENCE.finditer(text)
    return "".join(f["body"] for f in fences if f["kind"] == "{code-cell}")


@functools.cache
def outcome(code):
    """Return what code prints, and what its figures say that they show.

    The build runs it too, a hundred times slower.
    """
    plt.close("all")
    torch.manual_seed(0)
    printed = printed_by(code)
    return printed, [plt.figure(number).get_label() for number in plt.get_fignums()]


class Warnings(logging.Handler):
    """Collects the warnings of Sphinx, instead of showing them."""

    def __enter__(self):
        self.messages = []
        self.logger = logging.getLogger("sphinx")
        self.handlers, self.logger.handlers = self.logger.handlers, [self]
        return self.messages

    def emit(self, record):
        if record.levelno >= logging.WARNING:
            self.messages.append(record.getMessage())

    def __exit__(self, *error):
        self.logger.handlers = self.handlers


proof = None


def prove(job):
    """Prove the files of a page one after the other: it reads them all."""
    return [found for source in job for found in proof.prove(source)]


class Proof(Recording):
    """Flip a digit of each number, and demand a warning."""

    name = "proof"
    epilog = ""

    def init(self):
        super().init()
        self.root = Path(self.srcdir).parent
        self.green, self.record = set(), read(self._app)

    def test_group(self, group):
        """Run the examples that have not been seen to pass in the very same words."""
        key = repr(
            [[code and (code.type, code.code) for code in test] for test in group.tests]
        )
        if key not in self.green and not super().test_group(group):
            return False
        self.green.add(key)
        return True

    def write_documents(self, docnames):
        # The cells of a notebook whose text alone changes need not run again.
        self.env.mystnb_config = self.env.mystnb_config.copy(execution_mode="cache")
        jobs = defaultdict(list)
        for source in sources(self.root):
            jobs[self.page_of(source.path)].append(source)
        jobs = sorted(jobs.values(), key=lambda job: -sum(len(s.spans) for s in job))
        global proof
        proof = self  # for the workers, which are forks
        gc.freeze()  # or each script would search all of the site for garbage
        # One thread each: those of torch do not outlive a fork, and it waits for them.
        with ProcessPoolExecutor(
            mp_context=multiprocessing.get_context("fork"),
            initializer=torch.set_num_threads,
            initargs=(1,),
        ) as pool:
            results = [found for part in pool.map(prove, jobs) for found in part]
        self.report(results)

    def prove(self, source):
        """Return each mutant of a file, and the warning that killed it."""
        wrong = self.verify(source, source.text)
        if wrong:
            raise RuntimeError(f"{source.path} as it is: {wrong}")
        try:
            return [
                (str(source.path), str(mutant), self.verify(source, mutant.text))
                for mutant in source.mutants(self.config.proof_of_every_digit)
            ]
        finally:
            (self.root / source.path).write_text(source.text, encoding="utf-8")

    def verify(self, source, text):
        """Return the first warning that the page gives with this text, if any."""
        (self.root / source.path).write_text(text, encoding="utf-8")
        plt.close("all")  # what an example that failed left open
        with Warnings() as warnings:
            try:
                self.verify_path(source, text, warnings)
            except Exception as error:
                return repr(error)
        return warnings[0] if warnings else None

    def verify_path(self, source, text, warnings):
        path = str(source.path)
        was, now = (outcome(code_of(source.path, t)) for t in (source.text, text))
        if was != now:
            warnings.append("the code prints or draws something else")
            return
        if path in READMES:
            check_readme(self.root / path)
        elif path.endswith(".bib"):
            for name in sorted(self.env.found_docs):
                Page(self.env, name, self.env.get_doctree(name)).check()
        elif path.startswith("examples/"):
            script = self.root / path
            folder = Path(self.srcdir, "auto_examples", *source.path.parts[1:-1])
            generate_file_rst(
                script.name, folder, script.parent, self.config.sphinx_gallery_conf
            )
            self.verify_page(
                "/".join(("auto_examples", *source.path.with_suffix("").parts[1:])),
                warnings,
            )
        elif path.startswith("src/"):
            self.verify_docstrings(source, text, warnings)
        else:
            self.verify_page(self.page_of(source.path), warnings)

    def page_of(self, path):
        """Return the page that a file is, or else the one that shows it."""
        name = str(path)
        if name.startswith("docs/") and path.suffix in (".jsonl", ".py"):
            for page, files in sorted(self.env.dependencies.items()):
                if str(self.root / path) in map(str, files):
                    return page
        return INCLUDED.get(name, name.removeprefix("docs/").removesuffix(".md"))

    def verify_page(self, name, warnings):
        self.events.emit("env-purge-doc", self.env, name)
        self.env.clear_doc(name)
        self.read_doc(name)
        if not warnings:
            check_page(self.env, name, self.tree)
        if not warnings:
            Page(self.env, name, self.tree).check()
        if not warnings:
            recorded = dict(self.record.get(name, {}))
            recorded.pop("examples", None)  # counted where they run
            compare(name, captured(self.tree, name), recorded)
        if not warnings and not self.test_doc(name, self.tree):
            warnings.append("an example fails")

    def write_doctree(self, docname, doctree, *, _cache=True):
        """Keep the page in memory: all workers have the same folder of files."""
        self.tree = doctree

    def examples_fail(self, docstring):
        """Run the examples of a docstring, without the page that it is on."""
        plt.close("all")
        self.type = "single"  # since Sphinx, doctest compiles as this says
        test = doctest.DocTestParser().get_doctest(docstring, {}, "docstring", None, 0)
        return doctest.DocTestRunner().run(test, out=lambda _: None).failed > 0

    def verify_docstrings(self, source, text, warnings):
        module = importlib.import_module(
            ".".join(source.path.with_suffix("").parts[1:]).removesuffix(".__init__")
        )
        before = dict(documented(ast.parse(source.text)))
        for name, node in documented(ast.parse(text)):
            if node.value != before[name].value or text == source.text:
                if self.examples_fail(node.value):
                    warnings.append("an example fails")
                    continue
                thing = functools.reduce(getattr, filter(None, name.split(".")), module)
                old, thing.__doc__ = thing.__doc__, node.value
                try:
                    for page in self.pages_about(thing):
                        self.verify_page(page, warnings)
                finally:
                    thing.__doc__ = old

    def pages_about(self, thing):
        objects = self.env.domains.python_domain.objects
        pages = set()
        for name, entry in objects.items():
            module, _, rest = name.partition(".")
            try:
                found = functools.reduce(
                    getattr, rest.split("."), importlib.import_module(module)
                )
            except AttributeError:
                continue
            if found is thing:
                pages.add(entry.docname)
        return pages

    def report(self, results):
        total, killed, survivors = Counter(), Counter(), []
        for path, mutant, warning in results:
            total[path] += 1
            killed[path] += bool(warning)
            if not warning:
                survivors.append(mutant)
        for path in sorted(total):
            print(f"{killed[path]:5} / {total[path]:<5} {path}")
        print(f"{killed.total():5} / {total.total():<5} in all")
        for mutant in sorted(survivors):
            print(f"survived: {mutant}")
        if survivors:
            self._app.statuscode = 1
        record = {
            path: {"flipped": count, "caught": killed[path]}
            for path, count in sorted(total.items())
        }
        path = Path(self.srcdir, PROOF)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


class Proven(SphinxDirective):
    """What a proof found: a sentence with the sums, as {caught}; by file, folded."""

    required_arguments = 1
    has_content = True

    def run(self):
        path = Path(self.env.srcdir, self.arguments[0])
        self.env.note_dependency(path)
        if not path.exists():
            raise self.error(f"proof: there is no {path.name}: run the proof first")
        record = json.loads(path.read_text(encoding="utf-8"))
        words = "\n".join(self.content)
        if numbers(words):
            raise self.error("proof: write the name of a sum in braces, no numbers")
        counts = list(record.values())
        sums = {name: sum(count[name] for count in counts) for name in counts[0]}
        text, messages = self.state.inline_text(words.format_map(sums), self.lineno)
        sentence = nodes.paragraph("", "", nodes.inline("", "", *text, tie=("num", "")))
        rows = [(path, *count.values()) for path, count in record.items()]
        folded = "<details>\n<summary>File by file</summary>"
        return [
            sentence,
            *messages,
            nodes.raw("", folded, format="html"),
            self.table(["file", *sums], *rows),
            nodes.raw("", "</details>", format="html"),
        ]

    def table(self, head, *rows):
        def row(texts):
            return nodes.row("", *(nodes.entry("", cell(text)) for text in texts))

        def cell(text):
            shown = nodes.inline(str(text), str(text), tie=("num", ""))
            return nodes.paragraph("", "", shown)

        group = nodes.tgroup(cols=len(head))
        group += [nodes.colspec(colwidth=1) for _ in head]
        group += nodes.thead("", row(head))
        group += nodes.tbody("", *map(row, rows))
        return nodes.table("", group, classes=["proof"])


def sample(root, size=30, seed=0):
    """Return some of the mutants, as JSON."""
    mutants = [mutant for source in sources(root) for mutant in source.mutants(True)]
    return json.dumps(
        [
            {"name": str(mutant), "path": str(mutant.path), "text": mutant.text}
            for mutant in random.Random(seed).sample(mutants, size)
        ]
    )


def setup(app):
    app.add_config_value("proof_of_every_digit", False, "")
    app.add_builder(Proof)
    app.add_directive("proof", Proven)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    print(sample(Path()))
