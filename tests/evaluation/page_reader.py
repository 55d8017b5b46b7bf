"""Reads a page of HTML strictly: what is not closed, or would be fetched, is told."""

import html.parser
import re

_VOID = {"meta", "img", "br", "link", "input"}
_FETCHING = {"src", "href", "srcset", "data", "action", "poster", "background"}


class PageReader(html.parser.HTMLParser):
    """Collects tables, texts, ids and outside references.

    Attributes:
        tables: dict of the heading before a table to its rows, lists of `str`.
        marked: texts that begin a highlighted row.
        tags: list of all tags, in order.
        ids: list of all ids, in order.
        outside: references to something that is not in the page.
        alternatives: texts for those who cannot see a figure.
    """

    def __init__(self, text):
        super().__init__()
        self.tables, self.marked, self.tags, self.ids = {}, [], [], []
        self.outside, self.alternatives = [], []
        self._open, self._heading, self._in_marked = [], "", False
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            self._check(name, value)
        if tag == "h2":
            self._heading = ""
        if tag == "tr":
            self.tables.setdefault(self._heading, []).append([])
            self._in_marked = ("class", "marked") in attributes
        if tag in ("th", "td"):
            self.tables[self._heading][-1].append("")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open and self._open[-1] == tag, f"{tag} ends {self._open}"
        self._open.pop()
        if tag == "th" and self._in_marked:
            self.marked.append(self.tables[self._heading][-1][0])

    def handle_data(self, data):
        if self._open and self._open[-1] == "h2":
            self._heading += data
        if self._open and self._open[-1] in ("th", "td"):
            self.tables[self._heading][-1][-1] += data
        if self._open and self._open[-1] == "style":
            self.outside += re.findall(r"@import|url\((?!#)", data)

    def _check(self, name, value):
        if name == "id":
            self.ids.append(value)
        if name in ("alt", "aria-label"):
            self.alternatives.append(value)
        inner = value.startswith(("#", "data:image/png;base64,"))
        if (name in _FETCHING and not inner) or re.search(r"url\((?!#)", value):
            self.outside.append(value)
