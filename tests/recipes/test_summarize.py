import csv
import json
import runpy
from pathlib import Path

import keras
import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer
from toy_pairs import save_tiny_preset
from toy_sentences import toy_sentences

import kftune
from kftune.cli import recipe

pytestmark = [pytest.mark.backend, pytest.mark.long]

RECIPE = Path(__file__).parents[2] / "recipes" / "summarize.py"
OPTIONS = {
    "max-length": 48,
    "max-summary-tokens": 12,
    "max-tokens": 256,
    "learning-rate": 1e-2,
    "epochs": 8,
    "num-beams": 2,
}


def write_texts(path, rows, seed, summaries):
    """Texts of two sentences, and the nouns and the verb of the first in summaries."""
    sentences = [english for english, _ in toy_sentences(2 * rows, seed)]
    with path.open("w") as file:
        for first, second in zip(sentences[::2], sentences[1::2], strict=True):
            _, _, noun, verb, _, _, other = first.split()
            texts = [f"{noun} {verb} {other}", f"a {other}"]
            source = f"{first.capitalize()}. {second.capitalize()}."
            file.write(json.dumps({"source": source, "target": texts[:summaries]}))
            file.write("\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("summaries")


@pytest.fixture(scope="module")
def options(folder):
    train = write_texts(folder / "train.jsonl", 120, 1, 1)
    test = write_texts(folder / "test.jsonl", 8, 2, 2)
    return {"data": train, "test-data": test, **OPTIONS}


@pytest.fixture(scope="module")
def presets(folder, options, make_backbone):
    """A random model of each family."""
    save_tiny_preset(folder / "seq2seq")
    keras.utils.set_random_seed(0)
    sizes = {"vocabulary_size": 300, "hidden_dim": 32, "intermediate_dim": 64}
    backbone = make_backbone("GPT2", max_sequence_length=48, **sizes)
    text = options["data"].read_text() + "\nTL;DR: Interests:"
    kftune.models.train_gpt2_tokenizer([text], folder / "bpe", 300)
    tokenizer = kftune.models.load_gpt2_tokenizer(folder / "bpe")
    task = kftune.models.GPT2CausalLM(
        kftune.models.GPT2Backbone.from_keras_hub(backbone),
        kftune.models.GPT2CausalLMPreprocessor(tokenizer, 48),
    )
    task.save_to_preset(folder / "gpt2")
    return {name: folder / name for name in ("gpt2", "seq2seq")}


@pytest.fixture(scope="module")
def summarize(presets, options):
    """Runs the recipe in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kftune.training, "use_compilation_cache", lambda: None)

        def run(family, out, **more):
            given = {**options, **more, "preset": presets[family], "out": out}
            argv = [str(part) for k, v in given.items() for part in (f"--{k}", v)]
            recipe.run_recipe(runpy.run_path(str(RECIPE))["main"], argv)
            return json.loads((out / "results.json").read_text())

        yield run


def read_table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def rouge_l(rows, column):
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    scores = [
        scorer.score_multi(row["target"].split(" | "), row[column]) for row in rows
    ]
    return 100 * np.mean([score["rougeL"].fmeasure for score in scores])


@pytest.fixture(scope="module")
def encoder_decoder(summarize, folder):
    return folder / "out", summarize("seq2seq", folder / "out")


def test_an_encoder_decoder_learns_to_summarise(encoder_decoder):
    out, results = encoder_decoder
    rows = read_table(out / "summaries.tsv")
    systems = ["model", "untrained", "lead", "memory", "oracle"]
    assert list(rows[0]) == ["source", "target", *systems]
    scores = {"model": results["test"], **results["floors"]}
    for system in systems:
        assert scores[system]["rougeL"] == pytest.approx(rouge_l(rows, system))
    assert scores["model"]["rougeL"] > scores["untrained"]["rougeL"] + 5
    assert scores["oracle"]["rougeL"] >= scores["lead"]["rougeL"] > 0
    assert results["interests"] is None
    assert results["rows"]["test"] == len(rows) == 8
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")

    task = kftune.models.load_task(out / "model")
    task.compile(sampler=kftune.decoding.BeamSearch(2, no_repeat_ngram_size=3))
    sources = [row["source"] for row in rows[:2]]
    made = kftune.decoding.translate_texts(task, sources, max_length=12)
    assert made == [row["model"] for row in rows[:2]]


def test_summaries_longer_than_rows_are_refused(summarize, tmp_path):
    message = "max_summary_tokens of at most max_length, 20. Received: 21"
    limits = {"max-length": 20, "max-summary-tokens": 21}
    with pytest.raises(ValueError, match=message):
        summarize("seq2seq", tmp_path / "out", **limits)
    assert not (tmp_path / "out").exists()


def test_a_test_set_without_readers_is_refused(summarize, tmp_path):
    path = tmp_path / "test.jsonl"
    path.write_text(json.dumps({"source": "A dog sleeps.", "target": ["Rest."]}))
    given = {"interests": "true", "test-data": path}
    with pytest.raises(ValueError, match="shares an English word of four letters"):
        summarize("gpt2", tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()


def test_gpt2_writes_for_a_reader(summarize, tmp_path):
    results = summarize("gpt2", tmp_path, interests="true")
    rows = read_table(tmp_path / "interests.tsv")
    told = results["interests"]
    for system in ("plain", "personal"):
        assert told[system]["rougeL"] == pytest.approx(rouge_l(rows, system))
    gain = told["personal"]["rougeL"] - told["plain"]["rougeL"]
    assert told["difference"] == pytest.approx(gain)
    assert told["readers"] == len(rows) <= 16
    summaries = read_table(tmp_path / "summaries.tsv")
    plain = {row["source"]: row["model"] for row in summaries}
    assert all(row["plain"] == plain[row["source"]] for row in rows)
    assert results["test"]["rougeL"] == pytest.approx(rouge_l(summaries, "model"))
    history = kftune.training.read_history(tmp_path)
    assert history["val_loss"][-1] < history["val_loss"][0] - 0.5


@pytest.mark.slow
def test_a_stopped_run_goes_on(
    summarize, encoder_decoder, tmp_path, monkeypatch, capsys
):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(kftune.evaluation, "summary_floors", stop)
        summarize("seq2seq", tmp_path)
    before = (tmp_path / "history.csv").read_bytes()
    results = summarize("seq2seq", tmp_path)
    assert "going on after " in capsys.readouterr().out
    assert (tmp_path / "history.csv").read_bytes() == before
    assert results["test"].keys() == encoder_decoder[1]["test"].keys()
