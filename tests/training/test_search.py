"""What a search does with its trials, which are threads here."""

import csv
import itertools
import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import toy_trials
import yaml

from kftune.training import search, search_worker, trial_callback

RATE = {"rate": {"low": 0.0, "high": 1.0}}
# Trains for ever in the search that is killed.
TRAINING = """
import os, time

def main(*, rate):
    if "TRAIN_FOR_EVER" in os.environ:
        time.sleep(600)
    return [rate]
"""
SEARCH = """
import sys
from kftune.training import search

search(sys.argv[1], {"rate": [0.1, 0.2]}, sys.argv[2], sampler="grid")
"""


@pytest.fixture(autouse=True)
def trials_in_threads(monkeypatch):
    monkeypatch.setattr(search_worker, "TrialProcess", toy_trials.ThreadTrial)
    monkeypatch.setattr(search_worker, "POLL_SECONDS", 0.01)


def rates(result):
    return [trial["rate"] for trial in result.trials]


def test_a_grid_tries_every_point_once(tmp_path):
    space = {"rate": {"low": 0.1, "high": 0.5, "step": 0.2}, "width": [8, 16]}
    result = search(toy_trials.learn, space, tmp_path, sampler="grid", workers=2)
    points = sorted((trial["rate"], trial["width"]) for trial in result.trials)
    wanted = list(itertools.product([0.1, 0.3, 0.5], [8, 16]))
    np.testing.assert_allclose(points, wanted)
    assert result.best["rate"] == pytest.approx(0.3)
    assert result.value == pytest.approx(1.0)


def test_a_grid_may_be_cut_short_and_goes_on(tmp_path):
    space = {"rate": [0.1, 0.2, 0.3], "width": [8]}
    options = {"sampler": "grid", "pruner": "nothing"}
    first = search(toy_trials.learn, space, tmp_path, n_trials=2, **options)
    assert rates(first) == [0.1, 0.2]
    assert rates(search(toy_trials.learn, space, tmp_path, **options)) == [
        0.1,
        0.2,
        0.3,
    ]


def test_random_settings_repeat_with_the_seed_and_over_restarts(tmp_path):
    def run(folder, n_trials, seed):
        space = {"rate": {"low": 1e-4, "high": 1.0, "log": True}}
        options = {"sampler": "random", "n_trials": n_trials, "seed": seed}
        return rates(search(toy_trials.learn, space, tmp_path / folder, **options))

    whole = run("whole", 12, 0)
    assert run("parts", 5, 0) == whole[:5]
    assert run("parts", 12, 0) == whole
    assert len(set(whole)) == 12
    assert not set(whole) & set(run("other", 12, 1))
    # Half of a range from 1e-4 to 1 in logarithms lies below 1e-2.
    assert 3 <= sum(rate < 1e-2 for rate in whole) <= 9


def test_tpe_comes_near_the_best_rate(tmp_path):
    result = search(toy_trials.learn, RATE, tmp_path, n_trials=30, pruner="nothing")
    off = np.abs(np.array(rates(result)) - 0.3)
    assert np.median(off[10:]) < 0.5 * np.median(off[:10])  # those are random
    assert result.best == {"rate": rates(result)[off.argmin()]}
    assert result.value == pytest.approx(1 - off.min() ** 2)
    assert result.importance == {"rate": 1.0}


def test_the_functions_defaults_come_first_if_the_space_holds_them(tmp_path):
    def first(space, **options):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        options = {"n_trials": 2, "sampler": "random", **options}
        result = search(toy_trials.learn_by_default, space, folder, **options)
        assert len({trial["rate"] for trial in result.trials}) == 2
        return {name: result.trials[0][name] for name in space}

    space = {**RATE, "width": [4, 8, 16]}
    assert first(space) == {"rate": 0.5, "width": 8}
    assert first(space, sampler="tpe") == {"rate": 0.5, "width": 8}
    # Without one of them it is not theirs.
    narrow = {"rate": {"low": 0.6, "high": 1.0}, "width": [8]}
    assert first(narrow)["rate"] > 0.6
    grid = {"rate": [0.1, 0.5]}
    assert first(grid, sampler="grid") == {"rate": 0.1}


def test_the_median_prunes_a_bad_trial_after_an_epoch(tmp_path):
    good, bad = [0.3, 0.31, 0.32, 0.33, 0.34], [1.0]
    space = {"rate": good + bad}
    result = search(toy_trials.learn, space, tmp_path, sampler="grid")
    assert [t["state"] for t in result.trials] == ["complete"] * 5 + ["pruned"]
    assert [t["epochs"] for t in result.trials] == [3] * 5 + [1]
    unpruned = {"sampler": "grid", "pruner": "nothing"}
    result = search(toy_trials.learn, space, tmp_path / "b", **unpruned)
    assert [t["epochs"] for t in result.trials] == [3] * 6


def test_halving_lets_the_best_quarter_go_on(tmp_path):
    space = {"rate": [0.3, 0.9, 0.8, 0.7, 0.31], "epochs": 4}
    options = {"sampler": "grid", "pruner": "halving"}
    result = search(toy_trials.learn, space, tmp_path, **options)
    # The second of five in their order is not among the best quarter of so far two.
    assert [t["epochs"] for t in result.trials] == [4, 1, 1, 1, 1]
    assert [t["state"] for t in result.trials] == ["complete"] + ["pruned"] * 4


def test_the_least_may_be_the_best(tmp_path):
    space = {"rate": [0.3, 1.0]}
    options = {"sampler": "grid", "mode": "min", "monitor": "val_perplexity"}
    result = search(toy_trials.learn, space, tmp_path, **options)
    # The best epoch is the first one: a third of the last.
    assert result.best == {"rate": 1.0}
    assert result.value == pytest.approx((1 - 0.49) / 3)


def test_trials_that_fail_are_told_and_the_others_go_on(tmp_path, capsys):
    space = {"rate": [0.25, 0.75, 0.5]}
    result = search(toy_trials.fail_above_half, space, tmp_path, sampler="grid")
    assert [t["state"] for t in result.trials] == ["complete", "fail", "complete"]
    error = "FloatingPointError: rate 0.75 is too much"
    assert result.trials[1]["error"] == error
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        "Trial 0 complete: val_accuracy 0.9975, the best so far (rate 0.25)",
        f"Trial 1 fail: {error} (rate 0.75)",
        "Trial 2 complete: val_accuracy 0.96 (rate 0.5)",
    ]


def test_a_search_without_a_whole_trial_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match=r"0: MemoryError: no memory left, 1: Mem"):
        search(toy_trials.fail, {"rate": [1, 2]}, tmp_path, sampler="grid")
    with pytest.raises(RuntimeError, match="val_loss from TrialCallback.*: None"):
        search(
            toy_trials.say_nothing,
            RATE,
            tmp_path / "b",
            n_trials=1,
            monitor="val_loss",
            mode="min",
        )


def test_a_trial_that_vanished_is_told(tmp_path, monkeypatch):
    class Vanished(toy_trials.ThreadTrial):
        def _learn(self, *_):
            pass

        def death(self):
            return "ended by signal SIGKILL"

    monkeypatch.setattr(search_worker, "TrialProcess", Vanished)
    with pytest.raises(RuntimeError, match="Received: 0: ended by signal SIGKILL"):
        search(toy_trials.learn, RATE, tmp_path, n_trials=1)


def test_the_folder_tells_what_was_tried(tmp_path):
    space = {"width": 16, "rate": [0.2, 0.4, 0.3], "epochs": 2}
    result = search(toy_trials.learn, space, tmp_path, sampler="grid")
    text = (tmp_path / "best.yaml").read_text()
    assert text.startswith("# Trial 2: 1\n")
    assert yaml.safe_load(text) == {"width": 16, "epochs": 2, "rate": 0.3}
    assert result.best == yaml.safe_load(text)
    with (tmp_path / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == ["0", "1", "2"]
    assert [row["rate"] for row in rows] == ["0.2", "0.4", "0.3"]
    assert [row["epochs"] for row in rows] == ["2"] * 3
    assert float(rows[0]["value"]) == pytest.approx(0.99)
    assert list((tmp_path / "workers").iterdir()) == []
    assert not list(tmp_path.glob("*.lock"))


def test_a_study_goes_on_under_the_same_settings_alone(tmp_path):
    search(toy_trials.learn, RATE, tmp_path, n_trials=1)
    with pytest.raises(ValueError, match="study with other settings") as error:
        search(toy_trials.learn, RATE, tmp_path, n_trials=1, seed=3, monitor="a")
    assert "monitor: expected 'val_accuracy', received 'a'" in str(error.value)
    assert "seed: expected 0, received 3" in str(error.value)


@pytest.mark.long
def test_a_killed_search_goes_on(tmp_path):
    script, folder = tmp_path / "training.py", tmp_path / "study"
    script.write_text(TRAINING)
    killed = subprocess.Popen(
        [sys.executable, "-c", SEARCH, script, folder],
        env={**os.environ, "TRAIN_FOR_EVER": "1"},
    )
    while not (folder / "trials" / "0" / "log.txt").exists():
        assert killed.poll() is None
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    result = search(script, {"rate": [0.1, 0.2]}, folder, sampler="grid")
    told = [(t["state"], t["rate"], t["retry_of"], t["error"]) for t in result.trials]
    assert told == [
        ("fail", 0.1, None, "its worker ended"),
        ("complete", 0.1, 0, None),
        ("complete", 0.2, None, None),
    ]
    assert result.best == {"rate": 0.2}


def test_two_workers_share_a_study(tmp_path, monkeypatch):
    results = []
    monkeypatch.setattr(search_worker, "POLL_SECONDS", 0.1)  # the other one joins

    def work():
        options = {"sampler": "random", "n_trials": 10, "pruner": "nothing"}
        results.append(search(toy_trials.learn, RATE, tmp_path, **options))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 2
    assert results[0].trials == results[1].trials
    assert len(set(rates(results[0]))) == 10
    logs = map(json.loads, (tmp_path / "journal.log").read_text().splitlines())
    claims = [log["user_attr"].get("worker") for log in logs if "user_attr" in log]
    assert len(set(claims) - {None}) == 2


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    space = {"rat": {"low": 2, "high": 1}}
    with pytest.raises(ValueError) as error:
        search(
            toy_trials.learn,
            space,
            tmp_path / "new",
            n_trials=0,
            sampler="annealing",
            pruner="best",
            mode="most",
            workers=1.5,
            seed=-1,
        )
    for problem in (
        "rat: `low <= high` must hold, but got (low=2, high=1). Received: {'low'",
        "rat: expected an argument of the function (rate, width, epochs)",
        "rate: expected a setting",
        "sampler: expected one of grid, random, tpe. Received: 'annealing'",
        "pruner: expected one of median, halving, nothing. Received: 'best'",
        "mode: Expected mode 'min' or 'max'. Received: 'most'",
        "workers: expected 1 or more. Received: 1.5",
        "seed: expected 0 or more. Received: -1",
        "n_trials: expected 1 or more. Received: 0",
    ):
        assert problem in str(error.value)
    assert not (tmp_path / "new").exists()


def test_only_a_grid_knows_its_number_of_trials(tmp_path):
    with pytest.raises(ValueError, match="n_trials: expected 1 or more.*None"):
        search(toy_trials.learn, RATE, tmp_path)


def test_no_search_within_a_trial(tmp_path, monkeypatch):
    monkeypatch.setattr(trial_callback, "_trial", object())
    with pytest.raises(RuntimeError, match="__main__"):
        search(toy_trials.learn, RATE, tmp_path, n_trials=1)


def test_without_optuna_the_extra_is_named(tmp_path, monkeypatch):
    for name in ("optuna_extra", "search_space"):
        monkeypatch.delitem(sys.modules, f"kftune.training.{name}")
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ModuleNotFoundError, match=r"optuna.*kftune\[search\]"):
        search(toy_trials.learn, RATE, tmp_path, n_trials=1)
