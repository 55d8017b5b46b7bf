import json
import math
import os

import numpy as np
import pytest

import kftune
from kftune.training import read_history

pytestmark = pytest.mark.backend

SENTENCES = [f"The {a} fox number {i} runs." for i in range(90) for a in ("red", "shy")]
CORPORA = """
- {name: foxes, file: foxes.txt, repeat: 1}
- {name: book, file: book.txt, paragraphs: true, repeat: 0}
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


@pytest.fixture
def options(tmp_path):
    (tmp_path / "foxes.txt").write_text("\n".join(SENTENCES))
    (tmp_path / "book.txt").write_text("\n\n".join(SENTENCES))
    (tmp_path / "corpora.yaml").write_text(CORPORA)
    paths = {"--corpora": tmp_path / "corpora.yaml", "--folder": tmp_path}
    return [part for pair in {**OPTIONS, **paths}.items() for part in pair]


def test_plain_text_becomes_a_preset(run_script, options, tmp_path):
    out = tmp_path / "run"
    finished = run_script("pretrain_gpt2.py", *options, "--epochs", 2, "--out", out)
    assert finished.returncode == 0, finished.stderr
    results = json.loads((out / "results.json").read_text())
    assert sorted(results["perplexity"]) == ["book", "foxes"]
    # Random weights waver between all 300 tokens.
    assert all(1 < p < 300 for p in results["perplexity"].values())
    lines = (out / "history.csv").read_text().splitlines()
    assert len(lines) == 3
    assert "tokens_per_second" in lines[0] and "perplexity_foxes" in lines[0]
    assert os.path.getsize(out / "preset" / "model.weights.h5") < 100_000

    import keras_hub

    causal_lm = keras_hub.models.CausalLM.from_preset(str(out / "preset"))
    assert causal_lm.backbone.count_params() == 300 * 8 + 32 * 8 + 872 + 16
    assert causal_lm.generate("The", max_length=8).startswith("The")
    assert all(math.isfinite(float(w.sum())) for w in causal_lm.backbone.get_weights())


def test_a_teacher_is_trained_and_asked(run_script, options, tmp_path):
    opinions = [
        f"{word} film number {i} it is\t{label}"
        for i in range(600)
        for word, label in (("Lovely", 1), ("Dreary", 0))
    ]
    (tmp_path / "opinions.tsv").write_text("\n".join(["text\tlabel", *opinions]))
    with (tmp_path / "corpora.yaml").open("a") as file:
        file.write(
            "- {name: opinions, file: opinions.tsv, label: label, cut: false,\n"
            "   praise: ['1'], criticism: ['0']}\n"
        )
    plain, teacher, taught = (tmp_path / name for name in ("plain", "teacher", "run"))
    common = options[options.index("--corpora") :]
    for step in (
        ("pretrain_gpt2.py", *options, "--epochs", 2, "--out", plain),
        (
            *("train_teacher.py", *common, "--preset", plain / "preset"),
            *("--sequence-length", 24, "--max-tokens", 128, "--learning-rate", 1e-2),
            *("--out", teacher),
        ),
        (
            *("pretrain_gpt2.py", *options, "--epochs", 2, "--epoch-steps", 30),
            *("--learning-rate", 1e-2, "--teacher", teacher / "model", "--out", taught),
        ),
    ):
        finished = run_script(*step)
        assert finished.returncode == 0, finished.stderr
    # One word of each held-out opinion tells its label.
    accuracy = json.loads((teacher / "results.json").read_text())["validation"]
    assert accuracy["accuracy"]["opinions"] > 0.9
    history = read_history(taught)
    assert "polarity_loss" in history
    for name in ("next_token_loss", "sentence_embedding_loss"):
        assert history[name][-1] < history[name][0]
    # It was asked about each token, and about the passages that come alone.
    corpora = kftune.data.load_corpora(tmp_path / "corpora.yaml")
    passages = kftune.data.read_pretraining_corpora(corpora, tmp_path)
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
