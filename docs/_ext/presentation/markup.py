"""What other extensions write, as valid HTML that a screen reader can follow.

A page asks only for the style sheets and the scripts that it has a use for.
A long name in a table, at the head or at the foot of a page breaks between its parts,
and each cell of a table that is stacked on a phone knows the head of its column.
"""

import itertools
import re

REPLACED = {
    # The items of a list have this role; the other one is deprecated.
    'role="doc-biblioentry"': 'role="listitem"',
    # It stands on each page of the gallery as often as there are sections, and is empty.
    "<div id='sg-tag-list' class='sphx-glr-tag-list'></div>": "",
    'thumbcontainer" tooltip=': 'thumbcontainer" title=',
}
# What stands in the body of each page that has a use for the file.
USED = {
    "mystnb.": 'class="cell',
    "sg_gallery.css": "sphx-glr-",
    "sg_gallery-": "sphx-glr-binder",
    "sg-tags.js": "sphx-glr-tag",
    "sphinx-design.": "sd-",
    "design-tabs.js": "sd-tab-",
    "copybutton": "<pre>",
    "clipboard.": "<pre>",
}
CODE = re.compile("<pre>.*?</pre>", re.DOTALL)
NARROW = re.compile(r"<(td|h1)\b.*?</\1>", re.DOTALL)
STACKED = re.compile('<table class="stacked.*?</table>', re.DOTALL)
HEAD = re.compile(r"<th\b.*?</th>", re.DOTALL)
TAG = re.compile("(<[^>]*>)")
LONG = re.compile(r"[^\s&]{20,}")
# Where a name can break: not before the ending of a file, and amid a name in a path only.
JOINT = re.compile(r"(?<=\w)([/(]|\.(?=\w{4}))(?=\w)")
PATH = re.compile(r"(?<=\w)([/_])(?=\w)")


def used(file, body):
    name = str(file).rpartition("/")[2]
    marks = [mark for start, mark in USED.items() if name.startswith(start)]
    return all(mark in body for mark in marks)


def apart(name):
    joint = PATH if "/" in name[0] else JOINT
    return joint.sub(r"\1<wbr>", name[0])


def breakable(html):
    parts = TAG.split(html)
    for n, text in enumerate(parts[::2]):
        parts[2 * n] = LONG.sub(apart, text)
    return "".join(parts)


def stacked(table):
    heads = itertools.cycle(TAG.sub("", head) for head in HEAD.findall(table))
    return re.sub("<td", lambda cell: f'{cell[0]} data-head="{next(heads)}"', table)


def mend(app, page, template, context, doctree):
    body = context.get("body", "")
    for written, valid in REPLACED.items():
        body = body.replace(written, valid)
    for kind in ("css_files", "script_files"):
        context[kind] = [file for file in context[kind] if used(file.filename, body)]
    for neighbour in filter(None, (context.get("prev"), context.get("next"))):
        neighbour["title"] = breakable(neighbour["title"])
    body = NARROW.sub(lambda part: breakable(part[0]), body)
    body = STACKED.sub(lambda table: stacked(table[0]), body)
    # Code has phrases, no blocks: viewcode puts each definition into one.
    context["body"] = CODE.sub(lambda pre: re.sub(r"(</?)div\b", r"\1span", pre[0]), body)


def setup(app):
    app.connect("html-page-context", mend, priority=900)  # once all have asked
    return {"parallel_read_safe": True, "parallel_write_safe": True}
