import json
import random
import runpy
from pathlib import Path

import keras
import numpy as np
import pytest
from datasets import Dataset

from kftune.cli import recipe
from kftune.models import (
    GPT2Backbone,
    GPT2CausalLM,
    GPT2CausalLMPreprocessor,
    GPT2TextClassifier,
    load_gpt2_tokenizer,
    save_float16_preset,
    train_gpt2_tokenizer,
)
from kftune.training import read_history

pytestmark = [pytest.mark.backend, pytest.mark.long]

ROOT = Path(__file__).parents[2]
VERDICTS = {"fresh": ["superb", "warm", "witty"], "rotten": ["dull", "weak", "cold"]}
QUEUES = {
    "card": ["lost", "stolen"],
    "cash": ["wrong", "short"],
    "app": ["slow", "shut"],
}


def write_rows(path, subject, words, count):
    """Texts of which one word tells the label."""
    rng = random.Random(0)
    with path.open("w") as file:
        for i in range(count):
            label = list(words)[i % len(words)]
            text = f"{subject} {i} is {rng.choice(words[label])}."
            file.write(json.dumps({"said": text, "kind": label}) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tasks")


@pytest.fixture(scope="module")
def options(folder, make_backbone):
    keras.utils.set_random_seed(0)
    reviews = write_rows(folder / "reviews.jsonl", "Film", VERDICTS, 200)
    queues = write_rows(folder / "queues.jsonl", "Thing", QUEUES, 120)
    sizes = {"vocabulary_size": 320, "hidden_dim": 16, "intermediate_dim": 32}
    backbone = make_backbone("GPT2", max_sequence_length=32, **sizes)
    texts = [reviews.read_text(), queues.read_text()]
    train_gpt2_tokenizer(texts, folder / "bpe", 320)
    preprocessor = GPT2CausalLMPreprocessor(load_gpt2_tokenizer(folder / "bpe"), 32)
    task = GPT2CausalLM(GPT2Backbone.from_keras_hub(backbone), preprocessor)
    preset = save_float16_preset(task, folder / "preset", dropout=0.0)
    given = {"--preset": preset, "--dropout": 0, "--batch-size": 16}
    given |= {"--learning-rate": 1e-2, "--epochs": 4}
    for name, path in (("reviews", reviews), ("queues", queues)):
        given |= {f"--data.{name}": path, f"--text.{name}": "said"}
        given[f"--label.{name}"] = "kind"
    return [str(part) for pair in given.items() for part in pair]


@pytest.fixture(scope="module")
def whole(run_recipe, options, folder):
    out = folder / "whole"
    more = ["--mix", "even", "--loss-weights.queues", 2, "--compare", "--out", out]
    return out, run_recipe("classify_tasks.py", *options, *more), more


def test_two_tasks_become_two_classifiers_and_a_table(whole):
    out, printed, _ = whole
    results = json.loads((out / "results.json").read_text())
    for name in ("reviews", "queues"):
        scores = results["test"][name]
        assert list(scores) == ["majority", "naive_bayes", "together", "alone"]
        assert scores["together"]["accuracy"] > 0.9
        assert scores["alone"]["accuracy"] > 0.9
        cell = f"{100 * scores['together']['accuracy']:.1f}"
        assert cell in next(x for x in printed.splitlines() if "| together" in x)
    assert "| test accuracy | reviews | queues |" in results["table"]
    assert results["data"]["queues"]["rows"] == {
        "train": 96,
        "validation": 12,
        "test": 12,
    }
    alone = json.loads((out / "queues_alone" / "results.json").read_text())
    assert alone["data"] == {"queues": {"rows": results["data"]["queues"]["rows"]}}
    assert alone["freezing"]["policy"] == "nothing"
    history = read_history(out / "together")
    assert {"val_reviews_accuracy", "val_queues_accuracy"} < history.keys()
    means = [history[f"val_{name}_accuracy"] for name in ("reviews", "queues")]
    assert history["val_accuracy"] == pytest.approx(np.mean(means, axis=0))
    # 160 rows, and 96 twice (160 / 96 = 1.7), each weighted by 352 / (2 * 192).
    losses = [history[n][-1] for n in ("loss", "reviews_loss", "queues_loss")]
    assert losses[0] == pytest.approx(losses[1] + 2 * losses[2], rel=0.02)
    task = GPT2TextClassifier.from_preset(out / "together" / "models" / "queues")
    assert task.label_names == ["app", "card", "cash"]
    outputs = task.predict(["Thing 3 is stolen.", "Thing 4 is slow."], verbose=0)
    assert outputs.argmax(-1).tolist() == [1, 0]


def test_trainings_that_ended_are_kept(whole, options, monkeypatch, capsys):
    out, _, more = whole
    monkeypatch.setattr("kftune.training.use_compilation_cache", lambda: None)
    main = runpy.run_path(str(ROOT / "recipes/classify_tasks.py"))["main"]
    before = {p: p.stat().st_mtime_ns for p in out.glob("*/results.json")}
    assert len(before) == 3
    (out / "results.json").unlink()
    recipe.run_recipe(main, list(map(str, [*options, *more])))
    assert {p: p.stat().st_mtime_ns for p in out.glob("*/results.json")} == before
    assert "| alone |" in capsys.readouterr().out


def test_a_loss_weight_below_0_is_refused(capsys):
    main = runpy.run_path(str(ROOT / "recipes/classify_tasks.py"))["main"]
    given = ["--data.a", "a.csv", "--data.b", "b.csv", "--loss-weights.a"]
    weights = recipe.read_options(main, [*given, "0.5"])["loss_weights"]
    assert weights == {"a": 0.5}
    with pytest.raises(SystemExit):
        recipe.read_options(main, [*given, "1", "--loss-weights.b", "-1"])
    error = " ".join(capsys.readouterr().err.split())
    assert (
        "--loss-weights: expected 0 or more each. Received: {'a': 1.0, 'b': -1.0}"
        in error
    )


def test_options_of_tasks_that_are_not_there_are_named(tmp_path):
    main = runpy.run_path(str(ROOT / "recipes/classify_tasks.py"))["main"]
    data = {"reviews": "a.csv", "../up": "b.csv"}
    with pytest.raises(SystemExit, match=r"--data\.\.\./up, --label\.intents$"):
        main(data=data, label={"intents": "category"}, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_one_task_holds_out_another_does_not_train_on():
    recipe = runpy.run_path(str(ROOT / "recipes/classify_tasks.py"))

    def parts(*texts):
        names = ("train", "validation", "test")
        made = zip(names, map(str.split, texts), strict=True)
        return {name: Dataset.from_dict({"text": words}) for name, words in made}

    splits = {"topic": parts("a b c d", "e", "f"), "mood": parts("B E f g", "a", "C")}
    recipe["drop_held_out"](splits)
    assert splits["topic"]["train"]["text"] == ["b", "d"]
    assert splits["mood"]["train"]["text"] == ["B", "g"]
