import pytest

from kftune.data import detect_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where is my card?", "en"),
        ("Wo ist meine Karte?", "de"),
        ("Warum wurde mir eine Gebühr berechnet?", "de"),
        ("Où est ma carte ?", "fr"),
    ],
)
def test_the_likeliest_of_some_languages(text, language):
    assert detect_language(text, ["en", "de", "fr"]) == language


def test_others_are_left_out():
    assert detect_language("Où est ma carte ?", ["en", "de"]) in ("en", "de")
    assert detect_language("Where is my card?", ["de"]) == "de"


def test_unknown_languages_are_refused():
    with pytest.raises(ValueError, match=r"among .*de, .*Received: \['xx'\]"):
        detect_language("a", ["en", "xx"])
    with pytest.raises(ValueError, match="Received: none"):
        detect_language("a", [])
