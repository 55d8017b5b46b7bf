import re

import pytest

from kftune.data.placeholders import find_placeholders


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%(user)s left %(count)03d messages", ["%(user)s", "%(count)03d"]),
        ("%s: %d %5.2f%%, %1$s", ["%s", "%d", "%5.2f", "%1$s"]),
        ("%lu of %5ld, %zu, %llu, %hhd", ["%lu", "%5ld", "%zu", "%llu", "%hhd"]),
        ("%.1Lf %1$ju %td 100% left %l", ["%.1Lf", "%1$ju", "%td"]),
        ("${total} of $total", ["${total}"]),
        ("{} {0} {name!r:>8} {{ item.title }}", ["{}", "{0}", "{name!r:>8}"]),
        ("100% sure, 5 % of all, %%s, {open", []),
        ("{%trans%}%(a)s%(a)s", ["{%trans%}", "%(a)s", "%(a)s"]),
        ("ein Ümläut %(größe)s", ["%(größe)s"]),
    ],
)
def test_what_is_a_placeholder(text, expected):
    received = find_placeholders(text)
    if "{{" in text:
        assert received.pop() == "{{ item.title }}"
    assert received == expected


def test_what_is_found_is_what_python_fills_in():
    message = "%(user)s has %(count)d of {total} at {0:.1f}"
    found = find_placeholders(message)
    filled = [part % {"user": "A", "count": 2} for part in found[:2]]
    filled += [part.format(1.25, total=9) for part in found[2:]]
    assert filled == ["A", "2", "9", "1.2"]


def test_a_pattern_of_ones_own():
    assert find_placeholders("a <x/> b <y>", r"<\w+/?>") == ["<x/>", "<y>"]
    assert find_placeholders("a <x/>", re.compile("<x/>")) == ["<x/>"]
