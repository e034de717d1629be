"""Every drawing of ``label_smoothing.figures``, in a light and in a dark version.

* ``save_figures`` saves the figures of a gallery script as SVG,
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
from typing import Any

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import torch
from docutils import nodes
from matplotlib.figure import Figure
from measured import drawings
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from verified import namespace

from label_smoothing import figures

log = logging.getLogger(__name__)
COLOUR = re.compile("|".join(figures.DARK))
CREATOR = "label_smoothing.figures"
METADATA = {"Date": None, "Creator": CREATOR}
SIZE = re.compile(r'<svg.* width="([\d.]+)pt" height="([\d.]+)pt"')
TITLE = re.compile(r"<dc:title>(.*?)</dc:title>", re.DOTALL)
DRAW = {n: getattr(home, n) for home in (figures, drawings) for n in home.__all__}


def save(figure: Figure, path: Path) -> None:
    """Save a figure as SVG, with its label as the title, and close it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = METADATA | {"Title": figure.get_label()}
    with plt.rc_context(figures.STYLE):
        figure.savefig(path, format="svg", transparent=True, metadata=metadata)
    plt.close(figure)


def save_figures(block: object, block_vars: Any, gallery_conf: Any) -> str:
    """Save the open figures of a gallery script, and return the images as reST."""
    images = []
    for number in plt.get_fignums():
        figure = plt.figure(number)
        path = Path(next(block_vars["image_path_iterator"])).with_suffix(".svg")
        if not figure.get_label():
            message = "a figure without a label, its text alternative"
            log.warning(message, location=block_vars["src_file"], type="drawings")
        save(figure, path)
        uri = path.relative_to(gallery_conf["src_dir"]).as_posix()
        images.append(f"\n.. image:: /{uri}\n   :class: drawing\n")
    return "".join(images)


def reset_torch(gallery_conf: object, file_name: str) -> None:
    """Start every gallery script from the same state of torch."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float32)


@functools.cache
def draw(expression: str, path: Path) -> None:
    """Save the figure that an expression returns, once if several pages show it."""
    save(eval(expression, namespace.NAMES | DRAW), path)


class Drawing(SphinxDirective):
    """``{drawing} targets(target[0], 5, smoothing)``, with the caption as its content."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Draw, and return the figure with its caption."""
        expression = self.arguments[0]
        name = hashlib.sha256(expression.encode()).hexdigest()[:16]
        uri = f"/_build/drawings/{name}.svg"
        try:
            draw(expression, Path(f"{self.env.srcdir}{uri}"))
        except Exception as error:
            raise self.error(f"drawing: {expression} raised {error!r}") from error
        image = nodes.image(uri=uri, classes=["drawing"])
        node = nodes.figure("", image, expression=expression)
        if self.content:
            inline, messages = self.parse_inline("\n".join(self.content))
            node += [nodes.caption("", "", *inline), *messages]
        self.set_source_info(node)
        namespace.note_sources(self.env)
        return [node]


class DarkTwins(SphinxTransform):
    """Give every SVG that ``figures`` drew its alternative, and a dark version."""

    default_priority = 850

    def apply(self, **kwargs: Any) -> None:
        """Put the dark version after each light one."""
        for image in list(self.document.findall(nodes.image)):
            path = Path(self.env.relfn2path(image["uri"], self.env.docname)[1])
            if path.suffix != ".svg" or not path.exists():
                continue
            light = path.read_text(encoding="utf-8")
            if CREATOR not in light:
                continue
            if path.parent.name != "thumb":  # the title of its page is next to it
                image["alt"] = html.unescape(TITLE.findall(light)[0])
                image["drawn"] = True
                # A browser that knows the size keeps the place: nothing moves later.
                size = [str(round(float(pt) * 4 / 3)) for pt in SIZE.findall(light)[0]]
                image["width"], image["height"] = size
            dark = COLOUR.sub(lambda colour: figures.DARK[colour[0]], light)
            path.with_suffix(".dark.svg").write_text(dark, encoding="utf-8")
            twin = image.deepcopy()
            twin["uri"] = image["uri"].removesuffix(".svg") + ".dark.svg"
            image["classes"].append("only-light")
            twin["classes"].append("only-dark")
            image.parent.insert(image.parent.index(image) + 1, twin)


CONFIGURATION = f"""
c.IPKernelApp.log_level = "ERROR"
c.InlineBackend.figure_formats = {{"svg"}}
c.InlineBackend.print_figure_kwargs = {{"bbox_inches": None}}
c.InlineBackend.rc = {{"svg.hashsalt": {CREATOR!r}}}
from ipykernel.iostream import OutStream
OutStream.flush_interval = 3600
"""
# What a kernel runs first: as `save` does, keep the label of a figure as the title.
STARTUP = f"""
from IPython.core import pylabtools

def print_figure(figure, *args, print_figure=pylabtools.print_figure, **kwargs):
    metadata = {METADATA} | {{"Title": figure.get_label()}}
    return print_figure(figure, *args, metadata=metadata, **kwargs)

pylabtools.print_figure = print_figure
del print_figure
"""


def configure_notebooks(app: Sphinx) -> None:
    """Make the figures of executed pages SVG, like all others, and their output whole.

    A kernel sends what a cell prints five times a second: a slow cell in several pieces.
    """
    profile = Path(app.srcdir, "_build", "ipython", "profile_default")
    (profile / "startup").mkdir(parents=True, exist_ok=True)
    (profile / "startup" / "title.py").write_text(STARTUP)
    (profile / "ipython_kernel_config.py").write_text(CONFIGURATION)
    os.environ["IPYTHONDIR"] = str(profile.parent)
