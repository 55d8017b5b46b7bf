import pytest

from kftune.evaluation.placeholder_fidelity import placeholder_fidelity


def test_the_share_is_of_sources_with_placeholders():
    rows = [
        ("Hi %(name)s", "Hallo %(name)s"),
        ("%d of %d", "%d von"),  # One of two is lost.
        ("{a} before {b}", "{b} nach {a}"),
        ("${x}", "${ x }"),  # Changed.
        ("%s", "%s %s"),  # One more.
        ("Bye", "Tschüss {0}"),  # None to keep.
        ("no", "nein"),
    ]
    sources, outputs = zip(*rows, strict=True)
    assert placeholder_fidelity(sources, outputs) == 3 / 5


def test_a_pattern_of_ones_own():
    assert placeholder_fidelity(["<b> %s", "<i>"], ["<b>", ""], "<[a-z]+>") == 0.5


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(ValueError, match="2 sources, 1 outputs"):
        placeholder_fidelity(["%s", "a"], ["%s"])
    with pytest.raises(ValueError, match="Received: 2 without"):
        placeholder_fidelity(["a", "b"], ["a", "b"])
