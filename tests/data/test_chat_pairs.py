import pytest

from kftune.data import chat_pairs


def turns(*contents):
    """A chat in which the user and the assistant take turns."""
    roles = ("user", "assistant")
    return [
        {"role": roles[index % 2], "content": content}
        for index, content in enumerate(contents)
    ]


CHATS = [turns("a", "b", "c", "d", "e"), turns("f", "g")]


def test_the_last_answer_of_each_chat(capsys):
    assert chat_pairs(CHATS) == {
        "prompt": ["User: a\nAssistant: b\nUser: c\nAssistant:", "User: f\nAssistant:"],
        "answer": [" d", " g"],
        "dropped_turns": [0, 0],
    }
    said = capsys.readouterr().out
    assert "2 answers of 2 chats; 0 old turns cut from 0 prompts" in said


def test_every_answer_once_with_what_was_said_before(capsys):
    pairs = chat_pairs(CHATS, every_answer=True, max_length=30, length=len)
    assert pairs == {
        "prompt": ["User: a\nAssistant:", "User: c\nAssistant:", "User: f\nAssistant:"],
        "answer": [" b", " d", " g"],
        "dropped_turns": [0, 2, 0],
    }
    said = capsys.readouterr().out
    assert "3 answers of 2 chats; 2 old turns cut from 1 prompts" in said


def test_a_greeting_is_history_and_no_answer():
    greeting = [{"role": "assistant", "content": "Hi."}, *CHATS[1]]
    assert chat_pairs([greeting], every_answer=True)["prompt"] == [
        "Assistant: Hi.\nUser: f\nAssistant:"
    ]


def test_wrong_chats_are_named():
    with pytest.raises(ValueError, match="none in chats 1, 2"):
        chat_pairs([CHATS[0], turns("a"), turns("b")])
    with pytest.raises(ValueError, match="turns of chat 1.*'bot'.* at index 0"):
        chat_pairs([CHATS[0], [{"role": "bot", "content": "x"}]])


def test_a_prompt_may_leave_the_same_room_for_every_answer():
    long = [*turns("a", "b", "c"), {"role": "assistant", "content": "d" * 30}]
    options = {"max_length": 50, "length": len, "answer_length": 20}
    cut = chat_pairs([long, turns("a", "b", "c", "d")], **options)
    assert cut["prompt"] == ["User: c\nAssistant:"] * 2
    assert cut["dropped_turns"] == [2, 2]
    options["answer_length"] = 10
    assert chat_pairs([long], **options)["dropped_turns"] == [0]
