import random

import pytest

from kftune.decoding.text_pieces import TextPieces


def test_pieces_are_what_is_new():
    pieces = TextPieces()
    assert [pieces.grow(text) for text in ("a", "a", "a fine", "a fine film")] == [
        "a",
        "",
        " fine",
        " film",
    ]


def test_characters_are_held_back_until_they_are_whole():
    pieces = TextPieces()
    assert pieces.grow("caf\ufffd") == "caf"
    assert pieces.grow("café") == "é"


def test_what_stays_broken_is_given_at_the_end():
    pieces = TextPieces()
    assert pieces.grow("caf\ufffd") == "caf"
    assert pieces.grow("caf\ufffd", is_last=True) == "\ufffd"


def test_a_stop_string_ends_the_text():
    pieces = TextPieces(["\n\n", "END"])
    assert pieces.grow("one\n") == "one"
    assert not pieces.is_done
    assert pieces.grow("one\n\ntwo END") == ""
    assert pieces.is_done


def test_what_may_become_a_stop_string_is_held_back():
    pieces = TextPieces(["END"])
    assert pieces.grow("a E") == "a "
    assert pieces.grow("a EN") == ""
    assert pieces.grow("a ENTRY") == "ENTRY"


def test_the_first_of_several_stop_strings_counts():
    pieces = TextPieces(["later", "soon"])
    assert pieces.grow("not soon, later", is_last=True) == "not "


@pytest.mark.parametrize("stops", [["xab", "bb"], ["xab", "a"], ["bxéb", "é", "xé"]])
@pytest.mark.parametrize("seed", range(20))
def test_pieces_together_are_the_text_before_the_stop(seed, stops):
    rng = random.Random(seed)
    text = "".join(rng.choice("abéx") for _ in range(30))
    pieces = TextPieces(stops)
    ends = [*sorted(rng.sample(range(30), 9)), 30]
    received = "".join(pieces.grow(text[:end], is_last=end == 30) for end in ends)
    stops = [text.find(stop) for stop in pieces.stop_strings if stop in text]
    assert received == text[: min(stops, default=30)]


def test_one_stop_string_is_no_list_of_letters():
    assert TextPieces("END").grow("an egg END", is_last=True) == "an egg "
    with pytest.raises(ValueError, match="a character or more"):
        TextPieces(["END", ""])
