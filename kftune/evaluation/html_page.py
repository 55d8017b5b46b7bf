"""A page of HTML that needs no other file: elements, tables, figures, the file.

Pages are trees of the standard library's `ElementTree`, which escapes every text and
attribute when it writes them; nothing is put together from strings.
"""

import base64
import re
from xml.etree import ElementTree

from kftune.files import write_aside

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# What refers to an id of the same drawing.
_REFERENCE = re.compile(r"(url\(#|^#)")
# The browser itself refuses whatever is not in the file.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = """
:root { color-scheme: light dark; --line: #d0d4da; --mark: #fff3d6; --faint: #5c6470 }
@media (prefers-color-scheme: dark) {
  :root { --line: #454b54; --mark: #4a3d16; --faint: #a3abb6 }
}
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem;
  padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .9rem; margin: .5rem 0 }
caption { text-align: left; color: var(--faint) }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .8rem .3rem .3rem;
  text-align: left; vertical-align: top; max-width: 32rem; overflow-wrap: break-word }
tr.marked { background: var(--mark) }
.figures { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)) }
figure { margin: 0; overflow-x: auto }
figure > svg, figure > img { background: #fff; border-radius: .4rem; max-width: 100%;
  height: auto }
.whole figure > svg { max-width: none }
figcaption, p.note { color: var(--faint); font-size: .9rem }
"""


def element(tag, *children, **attributes):
    """Makes an element.

    Args:
        tag: `str`.
        *children: `str`, which is escaped when it is written, or elements.
        **attributes: `str` by name; a `_` at the end of a name is dropped, as in
            `class_`.

    Returns:
        `xml.etree.ElementTree.Element`.
    """
    attributes = {name.rstrip("_"): value for name, value in attributes.items()}
    made = ElementTree.Element(tag, attributes)
    for child in children:
        if not isinstance(child, str):
            made.append(child)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + child
        else:
            made.text = (made.text or "") + child
    return made


def table(header, rows, *, caption=None, marked=()):
    """Makes a table that scrolls where it is wider than the screen.

    Args:
        header: list of C `str`.
        rows: list of lists of C `str`; the first of each names the row.
        caption: `str` or `None`.
        marked: set of `int`, which rows are highlighted.

    Returns:
        Element.
    """
    head = element("tr", *(element("th", text, scope="col") for text in header))
    body = element("tbody")
    for number, (name, *cells) in enumerate(rows):
        row = element("tr", element("th", name, scope="row"))
        row.extend(element("td", text) for text in cells)
        if number in marked:
            row.set("class", "marked")
        body.append(row)
    captions = [element("caption", caption)] if caption else []
    made = element("table", *captions, element("thead", head), body)
    return element("div", made, class_="scroll")


def picture(png, caption):
    """Makes a figure of a PNG, which becomes part of the page.

    Args:
        png: `bytes`.
        caption: `str`, also what those read who cannot see it.

    Returns:
        Element.
    """
    data = base64.b64encode(png).decode("ascii")
    image = element("img", src=f"data:image/png;base64,{data}", alt=caption)
    return element("figure", image, element("figcaption", caption))


def drawing(svg, caption, prefix):
    """Makes a figure of an SVG, which becomes part of the page.

    Args:
        svg: `str`, a file as matplotlib writes it.
        caption: `str`, also what those read who cannot see it.
        prefix: `str` before the drawing's ids, a different one for each drawing of the
            page.

    Returns:
        Element.
    """
    root = ElementTree.fromstring(svg)
    for node in root.iter():
        # HTML has these names without namespaces.
        node.tag = _local(node.tag)
        for name, value in [*node.items()]:
            del node.attrib[name]
            own = f"{prefix}{value}" if name == "id" else value
            node.set(_local(name), _REFERENCE.sub(rf"\g<1>{prefix}", own))
    for metadata in root.findall("metadata"):
        root.remove(metadata)
    root.attrib.update(role="img")
    root.set("aria-label", caption)
    return element("figure", root, element("figcaption", caption))


def write_page(path, title, parts):
    """Writes a page; the file appears whole or not at all.

    Args:
        path: `str` or `Path`.
        title: `str`.
        parts: list of elements.
    """
    policy = element("meta", content=_POLICY)
    policy.set("http-equiv", "Content-Security-Policy")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        policy,
        element("meta", name="viewport", content="width=device-width"),
        element("title", title),
        element("style", _STYLE),
    )
    body = element("body", element("h1", title), *parts)
    page = element("html", head, body, lang="en")
    text = ElementTree.tostring(page, encoding="unicode", method="html")
    with write_aside(path) as aside:
        # JSON can hold half of a surrogate pair, which UTF-8 cannot.
        aside.write_bytes(f"<!DOCTYPE html>\n{text}\n".encode("utf-8", "replace"))


def _local(name):
    return name.rpartition("}")[2]
