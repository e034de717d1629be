"""Every drawing of ``label_smoothing.figures``, in a light and in a dark version.

* ``scraper`` saves the figures of a gallery script as SVG,
* the directive ``drawing`` calls a function of ``figures`` and shows what it draws,
* every SVG of ours on a page, wherever it came from, gets a dark twin: the same file with
  the colours of ``figures.DARK`` in place of the light ones.

The text alternative is the figure's label, written by the function that knows the data.
The SVG carries it as its title, from where it reaches every page.
"""

import functools
import hashlib
import html
import os
import re
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import torch
from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from verified.names import NAMES

import label_smoothing
from label_smoothing import figures

log = logging.getLogger(__name__)
COLOUR = re.compile("|".join(figures.DARK))
MARK = "label_smoothing.figures"
METADATA = {"Date": None, "Creator": MARK}
SIZE = re.compile(r'<svg.* width="(?P<width>[\d.]+)pt" height="(?P<height>[\d.]+)pt"')
TITLE = re.compile(r"<dc:title>(.*?)</dc:title>", re.DOTALL)
# A drawing is out of date when any of these changes: the figures, and what they call.
SOURCES = sorted(map(str, Path(label_smoothing.__file__).parent.rglob("*.py")))
FIGURES = {name: getattr(figures, name) for name in figures.__all__}


def save(figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(figures.STYLE):
        figure.savefig(
            path,
            format="svg",
            transparent=True,
            metadata=METADATA | {"Title": figure.get_label()},
        )
    plt.close(figure)


def scraper(block, block_vars, gallery_conf):
    """Save the open figures of a gallery script, and return the images as reST."""
    images = []
    for number in plt.get_fignums():
        figure = plt.figure(number)
        path = Path(next(block_vars["image_path_iterator"])).with_suffix(".svg")
        if not figure.get_label():
            log.warning(
                "a figure without a label, its text alternative",
                location=block_vars["src_file"],
                type="drawings",
            )
        save(figure, path)
        uri = path.relative_to(gallery_conf["src_dir"]).as_posix()
        images.append(f"\n.. image:: /{uri}\n   :class: drawing\n")
    return "".join(images)


def reset_torch(gallery_conf, fname):
    """Start every gallery script from the same state of torch."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float32)


@functools.cache
def draw(expression, path):
    save(eval(expression, NAMES | FIGURES), path)


class Drawing(SphinxDirective):
    """``{drawing} targets(target[0], 5, smoothing)``, with the caption as its content."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self):
        name = hashlib.sha256(self.arguments[0].encode()).hexdigest()[:16]
        path = Path(self.env.srcdir, "_build", "drawings", f"{name}.svg")
        try:
            draw(self.arguments[0], path)
        except Exception as error:
            raise self.error(f"drawing: {self.arguments[0]} raised {error!r}") from error
        uri = "/" + os.path.relpath(path, self.env.srcdir).replace(os.sep, "/")
        node = nodes.figure("", nodes.image(uri=uri, classes=["drawing"]))
        node["expression"] = self.arguments[0]
        if self.content:
            text = "\n".join(self.content)
            inline, messages = self.state.inline_text(text, self.lineno)
            node += [nodes.caption("", "", *inline), *messages]
        self.set_source_info(node)
        for source in SOURCES:
            self.env.note_dependency(source)
        return [node]


class DarkTwins(SphinxTransform):
    """Give every SVG that ``figures`` drew its alternative, and a dark version."""

    default_priority = 850

    def apply(self):
        for image in list(self.document.findall(nodes.image)):
            _, path = self.env.relfn2path(image["uri"], self.env.docname)
            path = Path(path)
            if path.suffix != ".svg" or not path.exists():
                continue
            light = path.read_text(encoding="utf-8")
            if MARK not in light:
                continue
            if path.parent.name != "thumb":  # which stands beside its words
                image["alt"] = html.unescape(TITLE.search(light)[1])
                image["drawn"] = True
                # A browser that knows the size keeps the place: nothing moves later.
                for side, points in SIZE.search(light).groupdict().items():
                    image[side] = str(round(float(points) * 4 / 3))
            twin = path.with_name(f"{path.stem}.dark.svg")
            twin.write_text(
                COLOUR.sub(lambda colour: figures.DARK[colour[0]], light),
                encoding="utf-8",
            )
            dark = image.deepcopy()
            dark["uri"] = image["uri"].removesuffix(".svg") + ".dark.svg"
            image["classes"].append("only-light")
            dark["classes"].append("only-dark")
            image.parent.insert(image.parent.index(image) + 1, dark)


# What a kernel runs first: as `save` does, keep the label of a figure as the title.
TITLED = f"""
from IPython.core import pylabtools

def print_figure(figure, *args, print_figure=pylabtools.print_figure, **kwargs):
    metadata = {METADATA} | {{"Title": figure.get_label()}}
    return print_figure(figure, *args, metadata=metadata, **kwargs)

pylabtools.print_figure = print_figure
del print_figure
"""


def style_notebooks(app):
    """Make the figures of executed pages SVG, like all others, and their output whole.

    A kernel sends what a cell prints five times a second: a slow cell in several pieces.
    """
    profile = Path(app.srcdir, "_build", "ipython", "profile_default")
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(
        "c.IPKernelApp.log_level = 'ERROR'\n"
        "c.InlineBackend.figure_formats = {'svg'}\n"
        "c.InlineBackend.print_figure_kwargs = {'bbox_inches': None}\n"
        f"c.InlineBackend.rc = {{'svg.hashsalt': {MARK!r}}}\n"
        "from ipykernel.iostream import OutStream\n"
        "OutStream.flush_interval = 3600\n"
    )
    startup = profile / "startup"
    startup.mkdir(exist_ok=True)
    (startup / "title.py").write_text(TITLED)
    os.environ["IPYTHONDIR"] = str(profile.parent)


def setup(app):
    app.connect("builder-inited", style_notebooks)
    app.add_directive("drawing", Drawing)
    app.add_transform(DarkTwins)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
