import csv
import json
import random
from pathlib import Path

import keras
import keras_hub
import numpy as np
import pytest

from kftune.models import GPT2TextClassifier, save_float16_preset, train_gpt2_tokenizer

pytestmark = pytest.mark.backend

ROOT = Path(__file__).parents[2]
GOOD = ["fine", "lovely", "superb", "warm", "witty"]
BAD = ["dull", "weak", "lifeless", "cold", "clumsy"]
ROWS = 300


@pytest.fixture
def reviews(tmp_path):
    """A csv file in which one word of each text tells its label."""
    rng = random.Random(0)
    path = tmp_path / "reviews.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "verdict"])
        for i in range(ROWS):
            words = rng.choice([GOOD, BAD])
            filler = " and so it goes" * rng.randint(0, 4)
            text = f"Film {i} is {rng.choice(words)}{filler}."
            writer.writerow([text, "fresh" if words is GOOD else "rotten"])
    return path


@pytest.fixture
def preset(tmp_path, reviews):
    """A random GPT-2 of two layers in a preset folder."""
    keras.utils.set_random_seed(0)
    folder = train_gpt2_tokenizer([reviews.read_text()], tmp_path / "bpe", 400)
    tokenizer = keras_hub.tokenizers.GPT2Tokenizer(
        str(folder / "vocabulary.json"), str(folder / "merges.txt")
    )
    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=400,
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=40,
    )
    return save_float16_preset(backbone, tokenizer, tmp_path / "preset", dropout=0.0)


@pytest.fixture
def options(reviews, preset):
    given = {
        "--preset": preset,
        "--data": reviews,
        "--text": "review",
        "--label": "verdict",
        "--dropout": 0,
        "--epochs": 2,
    }
    return [part for pair in given.items() for part in pair]


def test_reviews_become_a_scored_model_that_loads(run_script, options, tmp_path):
    out = tmp_path / "run"
    rates = ["--learning-rate", 1e-2, "--batch-size", 16, "--epochs", 4]
    finished = run_script("classify_reviews.py", *options, *rates, "--out", out)
    assert finished.returncode == 0, finished.stderr
    assert "First step after" in finished.stdout
    assert "Cleaning: 300 rows" in finished.stdout

    results = json.loads((out / "results.json").read_text())
    assert results["test"]["accuracy"] > 0.9
    assert 0 < results["test"]["macro_f1"] <= 1
    assert results["baselines"]["majority"]["accuracy"] < 0.7
    assert results["baselines"]["naive_bayes"]["accuracy"] > 0.9
    assert results["settings"]["freeze"] == "nothing"
    for name in ("curves.png", "confusion.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    assert len((out / "history.csv").read_text().splitlines()) == 1 + 4
    for name in ("model.weights.h5", "task.weights.h5"):
        assert (out / "model" / name).stat().st_size > 0

    task = GPT2TextClassifier.from_preset(out / "model")
    assert task.label_names == ["fresh", "rotten"]
    verdicts = task.predict(["Film 7 is superb.", "Film 8 is dull."], verbose=0)
    assert verdicts.argmax(-1).tolist() == [0, 1]


def test_a_frozen_backbone_stays_as_it_was(run_script, options, preset, tmp_path):
    out = tmp_path / "run"
    freeze = ["--freeze", "backbone", "--out", out]
    finished = run_script("classify_reviews.py", *options, *freeze)
    assert finished.returncode == 0, finished.stderr
    before = keras_hub.models.Backbone.from_preset(str(preset))
    after = GPT2TextClassifier.from_preset(out / "model")
    assert after.freeze_policy == "backbone"
    for a, b in zip(before.get_weights(), after.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_classic_run_of_gpt2_small(run_script, options, tmp_path):
    config = ["--config", ROOT / "recipes/configs/gpt2_base.yaml"]
    out = tmp_path / "run"
    finished = run_script("classify_reviews.py", *config, *options, "--out", out)
    assert finished.returncode == 0, finished.stderr
    settings = json.loads((out / "results.json").read_text())["settings"]
    assert settings["learning_rate"] == 2e-5
    assert settings["weight_decay"] == 0.01
    assert settings["batch_size"] == 8


def test_a_wrong_option_is_named(run_script, tmp_path):
    finished = run_script("classify_reviews.py", "--presset", "gpt2_tiny_en")
    assert finished.returncode != 0
    assert "--presset" in finished.stderr
