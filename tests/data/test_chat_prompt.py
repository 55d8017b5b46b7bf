import pytest

from kftune.data import chat_prompt

TURNS = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "Hello."},
    {"role": "assistant", "content": "Good day."},
    {"role": "user", "content": "How are you?"},
]
LINES = ["System: Be short.", "User: Hello.", "Assistant: Good day."]
END = "User: How are you?\nAssistant:"


def test_the_turns_are_lines_and_the_assistant_is_next():
    prompt = chat_prompt(TURNS)
    assert prompt.text == "\n".join([*LINES, END])
    assert prompt.dropped == 0
    marked = chat_prompt(TURNS[1:2], markers={"user": "<Q>", "assistant": "<A>"})
    assert marked.text == "<Q> Hello.\n<A>"


@pytest.mark.parametrize("answer", ["", " Fine."])
@pytest.mark.parametrize("dropped", [0, 1, 2])
def test_the_oldest_turns_go_first_but_for_the_system(dropped, answer):
    text = "\n".join([LINES[0], *LINES[1 + dropped :], END])
    fits = len(text) + len(answer)
    measured = []

    def length(text):
        measured.append(text)
        return len(text)

    options = {"length": length, "answer": answer}
    prompt = chat_prompt(TURNS, max_length=fits, **options)
    assert (prompt.text, prompt.dropped, prompt.length) == (text, dropped, fits)
    assert set(measured) >= {text, answer}
    shorter = chat_prompt(TURNS, max_length=fits - 1, **options)
    assert shorter.dropped == min(dropped + 1, 2)


def test_the_last_turn_stays_whatever_its_length():
    prompt = chat_prompt(TURNS, max_length=1, length=len)
    text = f"{LINES[0]}\n{END}"
    assert (prompt.text, prompt.dropped, prompt.length) == (text, 2, len(text))
    alone = chat_prompt(TURNS[:1], max_length=1, length=len)
    assert (alone.text, alone.dropped) == (f"{LINES[0]}\nAssistant:", 0)


def test_wrong_turns_are_named():
    wrong = [TURNS[1], {"role": "bot", "content": "Hi."}, {"role": "user"}, "Hi."]
    with pytest.raises(ValueError, match="'bot'.* index 1.* index 2.*'Hi.' at index 3"):
        chat_prompt(wrong)
    with pytest.raises(ValueError, match="Received: no turns"):
        chat_prompt([])
    with pytest.raises(ValueError, match="'assistant' among them.*markers for user"):
        chat_prompt(TURNS[1:2], markers={"user": "Q:"})
    with pytest.raises(ValueError, match="length=None, max_length=9"):
        chat_prompt(TURNS, max_length=9)
