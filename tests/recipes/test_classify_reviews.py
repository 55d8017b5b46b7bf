import functools
import json
import random
import runpy
import signal
from pathlib import Path

import h5py
import keras_hub
import numpy as np
import pytest
from killed_process import make_context, run_and_kill

from kftune.cli import recipe
from kftune.models import GPT2TextClassifier
from kftune.training import read_history
from kftune.training.checkpoint_folder import (
    CheckpointFolder,
    read_arrays,
    read_state,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def options(reviews, preset):
    given = {
        "--preset": preset,
        "--data": reviews,
        "--text": "review",
        "--label": "verdict",
        "--dropout": 0,
    }
    return [part for pair in given.items() for part in pair]


LEARNING = ["--learning-rate", 1e-2, "--batch-size", 16, "--epochs", 4]


@pytest.fixture(scope="module")
def whole(run_recipe, options, folder):
    """The folder of a run that was not stopped, and what it printed."""
    out = folder / "whole"
    return out, run_recipe("classify_reviews.py", *options, *LEARNING, "--out", out)


@pytest.mark.backend
def test_reviews_become_a_scored_model_that_loads(whole):
    out, printed = whole
    assert "First step after" in printed
    assert "Cleaning: 300 rows" in printed

    results = json.loads((out / "results.json").read_text())
    assert results["test"]["accuracy"] > 0.9
    assert 0 < results["test"]["macro_f1"] <= 1
    assert results["baselines"]["majority"]["accuracy"] < 0.7
    assert results["baselines"]["naive_bayes"]["accuracy"] > 0.9
    assert results["settings"]["freeze"] == "nothing"
    assert results["freezing"]["policy"] == "nothing"
    assert (
        results["freezing"]["frozen_params"] == 0 < len(results["freezing"]["blocks"])
    )
    assert sorted(results["times"]) == ["all", "first_step", "fit"]
    assert results["examples_per_second"] > 0
    for name in ("curves.png", "confusion.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    assert len((out / "history.csv").read_text().splitlines()) == 1 + 4
    for name in ("model.weights.h5", "task.weights.h5"):
        assert (out / "model" / name).stat().st_size > 0

    task = GPT2TextClassifier.from_preset(out / "model")
    assert task.label_names == ["fresh", "rotten"]
    verdicts = task.predict(["Film 7 is superb.", "Film 8 is dull."], verbose=0)
    assert verdicts.argmax(-1).tolist() == [0, 1]


@pytest.mark.backend
def test_a_run_that_ended_is_left_alone(whole, options, monkeypatch, capsys):
    out, printed = whole
    assert "verfitting" in printed
    assert not (out / "checkpoints").exists()
    monkeypatch.setattr("kftune.training.use_compilation_cache", lambda: None)
    main = runpy.run_path(str(ROOT / "recipes/classify_reviews.py"))["main"]
    argv = [str(part) for part in [*options, *LEARNING, "--out", out]]
    before = (out / "results.json").read_bytes()
    assert recipe.run_recipe(main, argv) is None
    assert f"{out}: finished already with these options" in capsys.readouterr().out
    message = r"which has ended: freeze: expected 'nothing', received 'backbone'; seed"
    with pytest.raises(ValueError, match=message):
        recipe.run_recipe(main, [*argv, "--seed", "1", "--freeze", "backbone"])
    assert (out / "results.json").read_bytes() == before


def arrays(path):
    """All arrays of a file of weights by name."""
    found = {}

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(add)
    return found


def traces(out):
    """All that a run leaves behind and that must be the same to the bit."""
    results = json.loads((out / "results.json").read_text())
    for name in ("times", "examples_per_second", "finished"):
        del results[name]
    del results["settings"]["out"]
    checkpoint = CheckpointFolder(out / "checkpoints").newest()
    state = read_state(checkpoint)
    del state["seconds"]
    files = {str(path.relative_to(out)) for path in out.rglob("*")}
    with read_arrays(checkpoint) as saved:
        return {
            "files": {name for name in files if not name.startswith("tensorboard")},
            "state": state,
            "variables": dict(saved),
            "best": arrays(out / "best.weights.h5"),
            "model": arrays(out / "model" / "model.weights.h5"),
            "task": arrays(out / "model" / "task.weights.h5"),
            "history": (out / "history.csv").read_bytes(),
            "results": results,
        }


@pytest.fixture(scope="module")
def run_until(options, folder):
    """Runs the recipe until a kill, as `run_and_kill` does."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("KERAS_HOME", str(folder / "keras"))
        patched.setenv("TF_DETERMINISTIC_OPS", "1")
        context = make_context()
        command = [*options, *LEARNING, "--dropout", 0.2]
        path = ROOT / "recipes/classify_reviews.py"
        yield functools.partial(run_and_kill, context, path, command)


@pytest.mark.parametrize(
    "wanted",
    [pytest.param(4, marks=pytest.mark.long), pytest.param(20, marks=pytest.mark.slow)],
)
def test_a_run_that_is_killed_at_any_moment_ends_as_a_whole_one(
    run_until, tmp_path, wanted
):
    """SIGKILL while it trains, evaluates and writes, four times a run."""
    out = tmp_path / "unbroken"
    assert run_until(out, touched=-1, seconds=0) == 0
    expected = traces(out)
    rng, kills, torn, runs = random.Random(0), 0, 0, 0
    while kills < wanted:
        runs += 1
        out, code, before = tmp_path / f"killed_{runs}", None, kills
        while code != 0:
            # A whole run touches 115 files, half of them in training; a file is written
            # in milliseconds, an epoch lasts about a second.
            touched = rng.randint(1, 50) if kills < before + 4 else -1
            seconds = 10 ** rng.uniform(-4, 0)
            code = run_until(out, touched=touched, seconds=seconds)
            assert code in (0, -signal.SIGKILL)
            half_written = any(out.glob("checkpoints/.*"))
            kills, torn = kills + (code != 0), torn + half_written
            if code != 0:
                where = ", within a checkpoint" if half_written else ""
                print(
                    f"run {runs}: kill {kills}, {touched} files, {seconds:.4f} s{where}"
                )
        np.testing.assert_equal(traces(out), expected)
        print(f"run {runs}: all {len(expected)} traces are those of the unbroken run")
    # So many kills come in the midst of a checkpoint, too.
    assert torn > 0 or wanted < 20


@pytest.mark.slow
def test_a_run_with_cached_features_learns_the_same(run_recipe, options, folder):
    frozen = [*options, *LEARNING, "--freeze", "all_but_last:1"]
    outs = [folder / name for name in ("computed", "cached", "again")]
    cached = ["--cache", folder / "features"]
    for out, more in zip(outs, ([], cached, cached), strict=True):
        run_recipe("classify_reviews.py", *frozen, *more, "--out", out)
    # Of training and validation data, and once for both runs.
    assert len(list((folder / "features").glob("*/features.arrow"))) == 2
    histories = [read_history(out) for out in outs]
    results = [json.loads((out / "results.json").read_text()) for out in outs]
    for history, result in zip(histories[1:], results[1:], strict=True):
        assert history.keys() == histories[0].keys()
        for name, values in histories[0].items():
            np.testing.assert_allclose(history[name], values, atol=1e-4)
        assert result["test"] == pytest.approx(results[0]["test"])


@pytest.mark.slow
def test_the_classic_run_of_gpt2_small(run_recipe, options, folder):
    out = folder / "classic"
    config = ["--config", ROOT / "recipes/configs/gpt2_base.yaml"]
    run_recipe("classify_reviews.py", *config, *options, "--out", out)
    settings = json.loads((out / "results.json").read_text())["settings"]
    classic = {"epochs": 3, "batch_size": 8, "learning_rate": 2e-5}
    assert {**settings, **classic, "weight_decay": 0.01} == settings
    history = read_history(out)
    assert len(history["val_accuracy"]) == 3
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.long
def test_a_frozen_backbone_is_saved_as_it_was(run_recipe, options, preset, folder):
    out = folder / "frozen"
    changes = ["--epochs", 1, "--freeze", "backbone", "--hidden-dim", 8]
    run_recipe("classify_reviews.py", *options, *changes, "--out", out)
    before = keras_hub.models.Backbone.from_preset(str(preset))
    after = GPT2TextClassifier.from_preset(out / "model")
    assert after.freeze_policy == "backbone"
    assert after.head.hidden_dim == 8
    for a, b in zip(before.get_weights(), after.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.long
@pytest.mark.backend
def test_blocks_may_be_unfrozen_epoch_by_epoch(run_recipe, options, preset, folder):
    out = folder / "unfrozen"
    stages = ["--freeze", "backbone", "--unfreeze", "nothing", "--epochs", 6]
    run_recipe("classify_reviews.py", *options, *LEARNING, *stages, "--out", out)
    task = GPT2TextClassifier.from_preset(out / "model")
    assert task.freeze_policy == "nothing"
    freezing = json.loads((out / "results.json").read_text())["freezing"]
    assert freezing["policy"] == "nothing"
    before = keras_hub.models.Backbone.from_preset(str(preset)).get_weights()
    after = task.backbone.get_weights()
    assert all((a != b).any() for a, b in zip(before, after, strict=True))


@pytest.mark.slow
def test_rates_may_fall_by_depth(run_recipe, options, folder):
    out = folder / "rates"
    rates = ["--schedule", "cosine", "--warmup-share", 0.2, "--layer-decay", 0.9]
    more = ["--epochs", 8]  # the mean rate of a cosine is half of a constant one
    run_recipe("classify_reviews.py", *options, *LEARNING, *rates, *more, "--out", out)
    results = json.loads((out / "results.json").read_text())
    majority = results["baselines"]["majority"]["accuracy"]
    assert results["test"]["accuracy"] > majority
    names = ["schedule", "warmup_share", "layer_decay"]
    assert [results["settings"][name] for name in names] == ["cosine", 0.2, 0.9]


@pytest.mark.slow
def test_few_labels_are_repeated_in_an_epoch(run_recipe, options, folder):
    out = folder / "few"
    few = ["--examples", 4, "--epoch-texts", 60, "--epochs", 1, "--batch-size", 16]
    printed = run_recipe("classify_reviews.py", *options, *few, "--out", out)
    # 4 of 2 classes: 8 texts, 8 times.
    assert "64 rows in 4 batches of 16" in printed
    results = json.loads((out / "results.json").read_text())
    assert results["data"]["rows"] == {"train": 8, "validation": 30, "test": 30}


def test_cached_features_are_not_unfrozen(options, folder):
    stages = ["--unfreeze", "nothing", "--cache", folder / "features"]
    argv = [*map(str, [*options, *stages, "--out", folder / "no"])]
    main = runpy.run_path(str(ROOT / "recipes/classify_reviews.py"))["main"]
    with pytest.raises(ValueError, match="either --cache.*--unfreeze nothing"):
        recipe.run_recipe(main, argv)
    argv = ["--unfreeze", "backbone", "nothing", "--epochs", "2"]
    with pytest.raises(ValueError, match="second of 2 epochs.*: backbone nothing"):
        recipe.run_recipe(main, [*argv, "--out", str(folder / "no")])
    assert not (folder / "no").exists()
