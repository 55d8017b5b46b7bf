import io
import re
import sys
import types

import pytest

import kftune
from kftune.cli.main import main
from kftune.data import chat_prompt

pytestmark = pytest.mark.backend

ROOM = 48 - 1 - 16
LINES = ["Hello there.", "Is the film good?", "And the other one?", "Why?"]


def chat(monkeypatch, capsys, lines, *options):
    raw = io.BytesIO("\n".join(lines).encode())
    stdin = types.SimpleNamespace(buffer=raw, isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)
    status = main(["chat", "--answer-tokens", "16", *map(str, options)])
    return status, *capsys.readouterr()


def expected(folder, lines, system=None):
    """What is printed, by `generate`; and how many turns the last prompt lost."""
    task = kftune.models.GPT2CausalLM.from_preset(folder)
    task.compile(sampler="greedy", jit_compile=kftune.training.choose_jit_compile())
    turns = [{"role": "system", "content": system}] if system else []
    printed = ""
    for line in lines:
        turns.append({"role": "user", "content": line})
        prompt = chat_prompt(
            turns, max_length=ROOM, length=lambda x: len(task.preprocessor.tokenizer(x))
        )
        longest = 1 + prompt.length + 16
        text = task.generate(prompt.text, longest, strip_prompt=True)
        text = re.split("\n(?:User|Assistant|System):", text)[0]
        printed += f"Assistant:{text}\n"
        turns.append({"role": "assistant", "content": text.strip()})
    return printed, prompt.dropped


@pytest.mark.long
def test_each_line_is_answered_in_view_of_those_before(monkeypatch, capsys, folder):
    printed, dropped = expected(folder, LINES)
    assert dropped > 0
    lines = [*LINES, "", "not read"]
    status, out, _ = chat(monkeypatch, capsys, lines, "--model", folder)
    assert (status, out) == (0, printed)


def test_a_turn_of_the_system_stays(monkeypatch, capsys, folder):
    printed, _ = expected(folder, LINES[:2], "Be kind.")
    options = ("--model", folder, "--system", "Be kind.")
    assert chat(monkeypatch, capsys, LINES[:2], *options)[1] == printed


def test_a_line_that_is_too_long_is_as_if_it_had_not_been(monkeypatch, capsys, folder):
    printed, _ = expected(folder, LINES[:2])
    lines = [LINES[0], "very " * 100, LINES[1]]
    _, out, _ = chat(monkeypatch, capsys, lines, "--model", folder)
    message = re.search(r"Expected at most 31 tokens. Received: \d+. Say less.\n", out)
    assert out.replace(message[0], "") == printed


def test_what_cannot_be_is_told(monkeypatch, capsys, folder, tmp_path):
    options = ("--model", tmp_path / "none")
    status, _, err = chat(monkeypatch, capsys, LINES, *options)
    assert status == 1 and str(tmp_path / "none") in err
    options = ("--model", folder, "--answer-tokens", "47")
    status, _, err = chat(monkeypatch, capsys, LINES, *options)
    assert status == 1 and "the model reads, 48. Received: 47" in err
    options = ("--model", folder, "--system", "very " * 100)
    status, out, err = chat(monkeypatch, capsys, LINES, *options)
    assert (status, out) == (1, "")
    assert "room for what is said, within 31 tokens. Received: a turn of" in err
