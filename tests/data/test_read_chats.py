import json

import pytest

from kftune.data import chat_pairs, read_chats


def write(path, rows):
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


def test_pairs_become_roles(tmp_path):
    turns = [["U", "Hello."], ["S", "Hi!"], ["U", "A café?"]]
    rows = read_chats(write(tmp_path / "a.jsonl", [{"id": "1", "turns": turns}]))
    assert rows["turns"][0] == [
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": "Hi!"},
        {"role": "user", "content": "A café?"},
    ]
    assert rows["text"] == ["User: Hello.\nAssistant: Hi!\nUser: A café?\nAssistant:"]
    assert chat_pairs(rows["turns"])["answer"] == [" Hi!"]


def test_dicts_stay_as_they_are(tmp_path):
    turns = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello."},
    ]
    path = write(tmp_path / "a.jsonl", [{"messages": turns}])
    assert read_chats(path, column="messages")["turns"][0] == turns


def test_other_speakers(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"turns": [["me", "a"], ["you", "b"]]}])
    rows = read_chats(path, speakers={"me": "user", "you": "assistant"})
    assert [turn["role"] for turn in rows["turns"][0]] == ["user", "assistant"]


def test_what_is_no_turn_is_named(tmp_path):
    rows = [{"turns": [["U", "a"]]}, {"turns": [["X", "a"]]}, {"turns": []}]
    path = write(tmp_path / "a.jsonl", rows)
    with pytest.raises(ValueError, match=r"one of \['U', 'S'\].*'X'.* in row 1.*row 2"):
        read_chats(path)
    with pytest.raises(ValueError, match=r"column 'chat'.*Received: \['turns'\]"):
        read_chats(path, column="chat")


def test_the_row_of_an_unknown_role_is_named(tmp_path):
    rows = [[{"role": "user", "content": "a"}], [{"role": "tool", "content": "b"}]]
    path = write(tmp_path / "a.jsonl", [{"turns": turns} for turns in rows])
    with pytest.raises(ValueError, match=r"one of \['system'.*'tool'.* in row 1"):
        read_chats(path)
