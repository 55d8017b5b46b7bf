"""Options without sense are refused before anything is read or written."""

import runpy
from pathlib import Path

import pytest

from kftune.cli.recipe import read_options

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize(
    ("recipe", "wrong"),
    [
        (
            "classify_reviews.py",
            {
                "examples": -1,
                "epoch-texts": 0,
                "epochs": 0,
                "batch-size": -4,
                "learning-rate": 0.0,
                "warmup-share": 1.5,
                "layer-decay": 0.0,
                "weight-decay": -0.01,
                "dropout": 1.0,
                "seed": -1,
                "split-seed": 2**32,
            },
        ),
        (
            "classify_tasks.py --data.a b",
            {
                "epochs": 0,
                "batch-size": 0,
                "learning-rate": 0.0,
                "weight-decay": -0.01,
                "dropout": 1.0,
                "seed": -1,
                "split-seed": -1,
            },
        ),
        (
            "generate_reviews.py",
            {
                "epochs": 0,
                "batch-size": 0,
                "learning-rate": 0.0,
                "weight-decay": -0.01,
                "samples": 0,
                "temperature": -0.1,
                "top-p": 0.0,
                "max-new-tokens": 0,
                "seed": -1,
                "split-seed": -1,
            },
        ),
        (
            "pretrain_gpt2.py",
            {
                "epochs": 0,
                "decay-epochs": -1,
                "epoch-steps": 1,
                "max-tokens": 0,
                "vocabulary-size": 256,
                "num-layers": 0,
                "num-heads": 0,
                "hidden-dim": 0,
                "context": 2,
                "learning-rate": -0.002,
                "dropout": -0.1,
                "seed": -1,
            },
        ),
        (
            "pretrain_translation.py",
            {
                "vocabulary-size": 299,
                "max-length": 2,
                "max-buckets": 0,
                "scored-pairs": 0,
                "averaged": 0,
                "label-smoothing": 1.0,
            },
        ),
        (
            "adapt_translation.py --preset a --general-test b",
            {
                "learning-rate": 0.0,
                "label-smoothing": 1.0,
                "max-tokens": 0,
                "max-length": 0,
                "epochs": 0,
                "patience": 0,
                "num-beams": 0,
                "seed": -1,
                "split-seed": -1,
            },
        ),
        (
            "new_language.py --preset a",
            {
                "vocabulary-size": 259,
                "learning-rate": 0.0,
                "warmup-steps": 0,
                "label-smoothing": 1.0,
                "max-tokens": 0,
                "max-length": 0,
                "epochs": 0,
                "patience": 0,
                "num-beams": 0,
                "seed": -1,
            },
        ),
        ("search.py", {"trials": 0, "workers": 0, "seed": -1}),
        (
            "serve_translation.py",
            {"max-length": 2, "num-beams": 0},
        ),
        (
            "train_teacher.py",
            {
                "examples": 0,
                "least-words": -1,
                "max-tokens": 0,
                "sequence-length": 2,
                "learning-rate": 0.0,
                "seed": -1,
            },
        ),
    ],
)
def test_numbers_without_sense_are_named_together(recipe, wrong, capsys):
    recipe, *argv = recipe.split()
    main = runpy.run_path(str(RECIPES / recipe))["main"]
    argv += [f"--{name}={number}" for name, number in wrong.items()]
    with pytest.raises(SystemExit) as stopped:
        read_options(main, argv)
    assert stopped.value.code == 2
    error = " ".join(capsys.readouterr().err.split())
    for name, number in wrong.items():
        assert f"--{name}: expected " in error
        assert f"Received: {number}" in error


def test_an_unknown_option_is_named(capsys):
    main = runpy.run_path(str(RECIPES / "classify_reviews.py"))["main"]
    with pytest.raises(SystemExit):
        read_options(main, ["--presset", "gpt2_tiny_en"])
    assert "--presset" in capsys.readouterr().err


@pytest.mark.parametrize("recipe", ["serve_reviews.py", "serve_translation.py"])
def test_recipes_of_servers_take_texts(recipe):
    main = runpy.run_path(str(RECIPES / recipe))["main"]
    argv = ["--texts", "A film.", "--docker", "--out", "runs/a"]
    if recipe == "serve_translation.py":
        argv.append("--target-languages")
    options = read_options(main, argv)
    assert options["texts"] == ["A film."]
    assert options["docker"] is True
    assert options.get("target_languages", []) == []


def test_a_missing_file_costs_nothing_of_the_last_run(tmp_path, monkeypatch):
    main = runpy.run_path(str(RECIPES / "classify_reviews.py"))["main"]
    monkeypatch.setattr("kftune.training.use_compilation_cache", lambda: None)
    for name in ("best.weights.h5", "history.csv", "results.json"):
        (tmp_path / name).write_text("of the last run")
    with pytest.raises(FileNotFoundError, match=r"typo\.csv"):
        main(data=str(tmp_path / "typo.csv"), out=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
