import json
import math
import os

import keras_hub
import numpy as np
import pytest

import kftune
from kftune.training import read_history

pytestmark = [pytest.mark.backend, pytest.mark.long]

SENTENCES = [f"The {a} fox number {i} runs." for i in range(90) for a in ("red", "shy")]
CORPORA = """
- {name: foxes, file: foxes.txt, repeat: 1}
- {name: book, file: book.txt, paragraphs: true, repeat: 0}
"""
OPINIONS = """
- {name: opinions, file: opinions.tsv, label: label, cut: false,
   praise: ["1"], criticism: ["0"]}
"""
OPTIONS = {
    "--epoch-steps": 6,
    "--decay-epochs": 1,
    "--max-tokens": 512,
    "--vocabulary-size": 300,
    "--num-layers": 1,
    "--num-heads": 2,
    "--hidden-dim": 8,
    "--context": 32,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two texts and the list of them."""
    folder = tmp_path_factory.mktemp("corpora")
    (folder / "foxes.txt").write_text("\n".join(SENTENCES))
    (folder / "book.txt").write_text("\n\n".join(SENTENCES))
    (folder / "corpora.yaml").write_text(CORPORA)
    return folder


def options_for(corpora):
    paths = {"--corpora": corpora, "--folder": corpora.parent}
    return [part for pair in {**OPTIONS, **paths}.items() for part in pair]


@pytest.fixture(scope="module")
def whole(run_recipe, folder):
    """The folder of a run that was not stopped."""
    options = [*options_for(folder / "corpora.yaml"), "--epochs", 2]
    run_recipe("pretrain_gpt2.py", *options, "--out", folder / "whole")
    return folder / "whole"


def test_plain_text_becomes_a_preset(whole):
    out = whole
    results = json.loads((out / "results.json").read_text())
    assert sorted(results["perplexity"]) == ["book", "foxes"]
    # Random weights waver between all 300 tokens.
    assert all(1 < p < 300 for p in results["perplexity"].values())
    lines = (out / "history.csv").read_text().splitlines()
    assert len(lines) == 3
    assert "tokens_per_second" in lines[0] and "perplexity_foxes" in lines[0]
    assert os.path.getsize(out / "preset" / "model.weights.h5") < 100_000

    causal_lm = keras_hub.models.CausalLM.from_preset(str(out / "preset"))
    assert causal_lm.backbone.count_params() == 300 * 8 + 32 * 8 + 872 + 16
    assert causal_lm.generate("The", max_length=8).startswith("The")
    assert all(math.isfinite(float(w.sum())) for w in causal_lm.backbone.get_weights())


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_as_a_whole_one(run_recipe, whole, folder):
    out = folder / "killed"
    options = [*options_for(folder / "corpora.yaml"), "--epochs", 2, "--out", out]
    run_recipe("pretrain_gpt2.py", *options, kill_after_epoch=1)
    assert not (out / "results.json").exists()
    assert "going on after 1 epochs" in run_recipe("pretrain_gpt2.py", *options)

    histories = [read_history(path) for path in (whole, out)]
    for name in ("loss", "perplexity_foxes", "perplexity_book"):
        np.testing.assert_array_equal(*(h[name] for h in histories))
    backbones = [
        keras_hub.models.Backbone.from_preset(str(path / "preset"))
        for path in (whole, out)
    ]
    for a, b in zip(*(backbone.get_weights() for backbone in backbones), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_teacher_is_trained_and_asked(run_recipe, whole, folder):
    opinions = [
        f"{word} film number {i} it is\t{label}"
        for i in range(600)
        for word, label in (("Lovely", 1), ("Dreary", 0))
    ]
    (folder / "opinions.tsv").write_text("\n".join(["text\tlabel", *opinions]))
    path = folder / "with_opinions.yaml"
    path.write_text(CORPORA + OPINIONS)
    teacher, taught = folder / "teacher", folder / "taught"
    options = ["--corpora", path, "--folder", folder, "--preset", whole / "preset"]
    options += ["--sequence-length", 24, "--max-tokens", 128, "--learning-rate", 1e-2]
    run_recipe("train_teacher.py", *options, "--out", teacher)
    options = [*options_for(path), "--epochs", 2, "--epoch-steps", 30]
    options += ["--learning-rate", 1e-2, "--teacher", teacher / "model"]
    run_recipe("pretrain_gpt2.py", *options, "--out", taught)
    # One word of each held-out opinion tells its label.
    accuracy = json.loads((teacher / "results.json").read_text())["validation"]
    assert accuracy["accuracy"]["opinions"] > 0.9
    history = read_history(taught)
    assert "polarity_loss" in history
    for name in ("next_token_loss", "sentence_embedding_loss"):
        assert history[name][-1] < history[name][0]
    # It was asked about each token, and about the passages that come alone.
    corpora = kftune.data.load_corpora(path)
    passages = kftune.data.read_pretraining_corpora(corpora, folder)
    alone = [p for p in passages if not p["validation"] and p["corpus"] != "book"]
    files = [np.load(path) for path in (taught / "answers").glob("*.npz")]
    praise = {len(file["praise"]): file["praise"] for file in files}
    assert sorted(praise) == [300, len(alone)]
    right = [
        (answer > 0.5) == passage["praise"]
        for answer, passage in zip(praise[len(alone)], alone, strict=True)
        if passage["corpus"] == "opinions"
    ]
    assert np.mean(right) > 0.9
