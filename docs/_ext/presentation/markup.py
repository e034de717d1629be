"""What other extensions write, as valid HTML that a screen reader can follow.

A page loads only the style sheets and the scripts that it has a use for.
A long name in a table, at the head or at the foot of a page breaks between its parts,
and each cell of a table that is stacked on a phone has the head of its column.
"""

import itertools
import re
from typing import Any

from sphinx.application import Sphinx

REPLACED = {
    # The items of a list have this role; the other one is deprecated.
    'role="doc-biblioentry"': 'role="listitem"',
    # A page of the gallery has one for each section, and all are empty.
    "<div id='sg-tag-list' class='sphx-glr-tag-list'></div>": "",
    'thumbcontainer" tooltip=': 'thumbcontainer" title=',
}
# How the name of a file begins, and what is in each page that has a use for it.
NEEDED_BY = {
    "mystnb.": 'class="cell',
    "sg_gallery.css": "sphx-glr-",
    "sg_gallery-": "sphx-glr-binder",
    "sg-tags.js": "sphx-glr-tag",
    "sphinx-design.": "sd-",
    "design-tabs.js": "sd-tab-",
    "copybutton": "<pre>",
    "clipboard.": "<pre>",
}
ADDRESS = re.compile(r'<meta property="og:url"[^>]*>\s*')
CODE = re.compile("<pre>.*?</pre>", re.DOTALL)
NARROW = re.compile(r"<(td|h1)\b.*?</\1>", re.DOTALL)
STACKED = re.compile('<table class="stacked.*?</table>', re.DOTALL)
HEAD = re.compile(r"<th\b.*?</th>", re.DOTALL)
TAG = re.compile("(<[^>]*>)")
LONG_NAME = re.compile(r"[^\s&]{20,}")
# Where a name can break: not before the ending of a file; in a path inside words, too.
JOINT = re.compile(r"(?<=\w)([/(]|\.(?=\w{4}))(?=\w)")
JOINT_OF_PATH = re.compile(r"(?<=\w)([/_])(?=\w)")


def is_needed(file: str, body: str) -> bool:
    """Say if a page has a use for a style sheet or a script."""
    name = file.rpartition("/")[2]
    return all(
        mark in body for start, mark in NEEDED_BY.items() if name.startswith(start)
    )


def break_name(name: re.Match[str]) -> str:
    """Let a long name break after each joint."""
    joint = JOINT_OF_PATH if "/" in name[0] else JOINT
    return joint.sub(r"\1<wbr>", name[0])


def break_names(html: str) -> str:
    """Let the long names in the text of some HTML break, but none in a tag."""
    parts = TAG.split(html)
    parts[::2] = [LONG_NAME.sub(break_name, text) for text in parts[::2]]
    return "".join(parts)


def name_columns(table: str) -> str:
    """Give each cell of a table the head of its column."""
    heads = itertools.cycle(TAG.sub("", head) for head in HEAD.findall(table))
    return re.sub("<td", lambda cell: f'{cell[0]} data-head="{next(heads)}"', table)


def finish_page(app: Sphinx, page: str, _: str, context: Any, tree: object) -> None:
    """Rewrite the body of a page, and drop the files that it has no use for."""
    body = context.get("body", "")
    for written, valid in REPLACED.items():
        body = body.replace(written, valid)
    for kind in ("css_files", "script_files"):
        context[kind] = [f for f in context[kind] if is_needed(str(f.filename), body)]
    for neighbour in filter(None, (context.get("prev"), context.get("next"))):
        neighbour["title"] = break_names(neighbour["title"])
    body = NARROW.sub(lambda part: break_names(part[0]), body)
    body = STACKED.sub(lambda table: name_columns(table[0]), body)
    # Code has phrases, no blocks: viewcode puts each definition into one.
    if not app.config.html_baseurl:
        context["metatags"] = ADDRESS.sub("", context.get("metatags", ""))
    context["body"] = CODE.sub(lambda pre: re.sub(r"(</?)div\b", r"\1span", pre[0]), body)
