import csv
import io
import json
import runpy
import sys
import types
from pathlib import Path

import pytest
import sacrebleu
from toy_chats import save_chat_preset, write_chats

from kftune.cli import recipe
from kftune.data import chat_prompt
from kftune.decoding import generate_texts
from kftune.evaluation import distinct_ngrams
from kftune.models import GPT2CausalLM
from kftune.training import choose_jit_compile, read_history

pytestmark = [pytest.mark.backend, pytest.mark.long]

RECIPE = Path(__file__).parents[2] / "recipes/dialogue.py"


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chats")
    given = {
        "data": write_chats(folder / "train.jsonl", 130, 1),
        "test-data": write_chats(folder / "dev.jsonl", 20, 2),
        "preset": save_chat_preset(folder),
        "dialogues": 120,
        "test-answers": 50,
        "generated": 12,
        "max-length": 48,
        "answer-tokens": 16,
        "max-tokens": 512,
        "learning-rate": 2e-2,
        "epochs": 5,
    }
    return [str(part) for name, v in given.items() for part in (f"--{name}", v)]


@pytest.fixture(scope="module")
def main():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("kftune.training.use_compilation_cache", lambda: None)
        yield runpy.run_path(str(RECIPE))["main"]


@pytest.fixture(scope="module")
def whole(main, options, tmp_path_factory):
    """The folder of a run that was not stopped."""
    out = tmp_path_factory.mktemp("whole")
    recipe.run_recipe(main, [*options, "--out", str(out)])
    return out


def columns(path):
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {name: [row[name] for row in rows] for name in rows[0]}


def test_chats_become_a_model_whose_answers_are_scored(whole):
    results = json.loads((whole / "results.json").read_text())
    # 12 of 120 chats are for validation, and each has 3 answers.
    assert results["rows"] == {"train": 324, "validation": 36, "test": 50}
    test, texts = results["test"], columns(whole / "answers.tsv")
    perplexity = test["perplexity"]
    assert perplexity["after"] < 3
    assert perplexity["before"] > 200
    assert test["answers"] == 12 == len(texts["source"])
    for name in ("model", "untrained", "nearest"):
        expected = sacrebleu.corpus_bleu(texts[name], [texts["target"]]).score
        assert test["bleu"][name] == pytest.approx(expected)
        for size in (1, 2):
            distinct = distinct_ngrams(texts[name], size)
            assert test["distinct"][name][size - 1] == pytest.approx(distinct)
    assert test["bleu"]["model"] > 10
    assert test["signature"].startswith("nrefs:1|case:mixed")
    assert (whole / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_saved_model_gives_these_answers(whole):
    texts = columns(whole / "answers.tsv")
    task = GPT2CausalLM.from_preset(whole / "model")
    assert task.preprocessor.sequence_length == 48
    task.compile(sampler="greedy", jit_compile=choose_jit_compile())
    answers = generate_texts(task, texts["source"], max_new_tokens=16)
    assert [text.strip() for text in answers] == texts["model"]
    # As `--answer-tokens` wants it, whatever the answer.
    lengths = [len(task.preprocessor.tokenizer(text)) for text in texts["source"]]
    assert max(lengths) <= 48 - 1 - 16


def test_a_run_that_ended_talks(main, whole, monkeypatch, capsys):
    stdin = io.BytesIO(b"Hi 1 2.\n\nI want rice.\n")
    typed = types.SimpleNamespace(buffer=stdin, isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", typed)
    options = ["--chat", "--out", str(whole), "--answer-tokens", "16"]
    recipe.run_recipe(main, options)
    task = GPT2CausalLM.from_preset(whole / "model")
    task.compile(sampler="greedy", jit_compile=choose_jit_compile())
    prompt = chat_prompt([{"role": "user", "content": "Hi 1 2."}]).text
    text = task.generate(prompt, strip_prompt=True)
    assert text == " Hello."
    assert capsys.readouterr().out == f"Assistant:{text}\n"


def test_a_blank_answer_ends_it_before_training(main, options, tmp_path):
    path = tmp_path / "dev.jsonl"
    path.write_text(json.dumps({"turns": [["U", "Hello."], ["S", " "]]}) + "\n")
    given = dict(zip(options[::2], options[1::2], strict=True))
    given |= {"--test-data": str(path), "--out": str(tmp_path / "out")}
    with pytest.raises(ValueError, match="blank ones at index 0"):
        recipe.run_recipe(main, [part for pair in given.items() for part in pair])
    assert not (tmp_path / "out").exists()


def test_what_is_missing_is_told(main, tmp_path):
    message = r"without results.json. Train it: python recipes/dialogue.py .* --out"
    with pytest.raises(FileNotFoundError, match=message):
        recipe.run_recipe(main, ["--chat", "--out", str(tmp_path)])
    message = "Expected --data and --test-data.*Received: None and None"
    with pytest.raises(ValueError, match=message):
        recipe.run_recipe(main, ["--out", str(tmp_path)])
    message = "at most max_length - 2, 30, to leave room.*Received: 48"
    with pytest.raises(ValueError, match=message):
        recipe.run_recipe(main, ["--max-length", "32", "--out", str(tmp_path)])


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_as_a_whole_one(run_recipe, options, tmp_path):
    runs = [tmp_path / "unbroken", tmp_path / "killed"]
    run_recipe("dialogue.py", *options, "--out", runs[0])
    run_recipe("dialogue.py", *options, "--out", runs[1], kill_after_epoch=1)
    printed = run_recipe("dialogue.py", *options, "--out", runs[1])
    assert "going on after 1 epochs" in printed
    assert read_history(runs[0]) == read_history(runs[1])
    tables = [(run / "answers.tsv").read_bytes() for run in runs]
    assert tables[0] == tables[1]
    typed = "Hi 1 2.\n\n"
    options = ["--chat", "--answer-tokens", 16, "--out", runs[1]]
    said = run_recipe("dialogue.py", *options, typed=typed).splitlines()
    assert said[-1] == "Assistant: Hello."
