import pytest

from kftune.data.keep_sentences import keep_sentences

TEXT = "One two three. Four five. Six seven (cf. Eight). Nine."


def words(text):
    return len(text.split())


@pytest.mark.parametrize(
    ("most", "keep", "expected"),
    [
        (10, "last", TEXT),
        (9, "first", "One two three. Four five. Six seven (cf. Eight)."),
        (8, "first", "One two three. Four five."),
        (4, "first", "One two three."),
        (6, "last", "Six seven (cf. Eight). Nine."),
        (6, "ends", "One two three. Four five. Nine."),
        (5, "ends", "One two three. Nine."),
        (2, "first", "One two"),
        (0, "first", ""),
    ],
)
def test_sentences_are_kept_while_they_fit(most, keep, expected):
    assert keep_sentences(TEXT, most, words, keep) == expected


def test_the_space_between_sentences_counts():
    assert keep_sentences("Ab. Cd. E.", 8, len) == "Ab. Cd."
    assert keep_sentences("Ab. Cd. E.", 7, len) == "Ab."


def test_text_without_spaces_is_cut_by_characters():
    text = "今天天气很好所以我们去公园散步。"
    assert keep_sentences(text, 5, len) == text[:5]
    assert keep_sentences("Donaudampfschiff fährt.", 5, len) == "Donau"


def test_sentences_of_other_scripts_are_kept_whole():
    russian = "Он пришёл. Она ушла. Мы остались."
    assert keep_sentences(russian, 4, words) == "Он пришёл. Она ушла."
    assert keep_sentences(russian, 2, words, "last") == "Мы остались."


def test_there_must_be_such_a_way():
    with pytest.raises(ValueError, match="Received: 'middle'"):
        keep_sentences(TEXT, 3, words, "middle")


def test_white_space_alone_has_no_sentences():
    assert keep_sentences("   \n ", 2, len) == ""
