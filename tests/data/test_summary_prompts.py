import pytest

from kftune.data.summary_prompts import summary_prompts

SOURCES = ["It rains. We stay.", "Snow."]


def words(text):
    return len(text.split())


def test_interests_text_and_ending_fit_together(capsys):
    prompts = summary_prompts(
        SOURCES, 6, words, interests=[["rain", "home"], []], ending="\nTL;DR:"
    )
    assert prompts == [
        "Interests: rain, home.\nIt rains.\nTL;DR:",
        "Snow.\nTL;DR:",
    ]
    assert capsys.readouterr().out == "Cut to 6: 1 of 2 texts.\n"


def test_words_that_leave_no_room_go():
    interests = [["rain", "a long word"], ["four words of it"]]
    kept = summary_prompts(SOURCES, 4, words, interests=interests, ending=" ?")
    assert kept[0].startswith("Interests: rain.\n")
    assert not kept[1].startswith("Interests")
    assert all(words(prompt) <= 4 for prompt in kept)


def test_without_interests_a_prompt_is_the_text(capsys):
    assert summary_prompts(SOURCES, 4, words, keep="last") == SOURCES
    assert summary_prompts(SOURCES, 3, words, keep="last") == ["We stay.", "Snow."]
    assert "1 of 2" in capsys.readouterr().out


def test_each_text_has_its_list_of_interests():
    with pytest.raises(ValueError, match="Received: 1 lists, 2 sources"):
        summary_prompts(SOURCES, 4, words, interests=[["rain"]])


def test_no_room_for_a_text_is_an_error():
    with pytest.raises(ValueError, match="room for a text before ' TL;DR:'.*most=7"):
        summary_prompts(["It rains."], 7, len, ending=" TL;DR:")
