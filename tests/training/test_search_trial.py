"""What a trial leaves in the storage, read by another who opens it."""

import math

import numpy as np
import pytest

from kftune.training.search_study import SearchStudy
from kftune.training.search_trial import SearchTrial


@pytest.fixture
def start(tmp_path):
    """Starts a trial of a study."""

    def start(**settings):
        shared = {"pruner": "nothing", "mode": "max", "monitor": "val_bleu"}
        space = {"space": {"epochs": 3}}
        study = SearchStudy(tmp_path, {**shared, **space, **settings})
        return SearchTrial(study, study.study.ask().number)

    return start


@pytest.fixture
def kept(tmp_path):
    """Reads the last trial of the study."""
    return lambda: SearchStudy(tmp_path).trials()[-1]


def report(trial, *values):
    return [trial.report({"loss": 1.0, "val_bleu": value}) for value in values]


@pytest.mark.parametrize(("mode", "best"), [("max", 30.0), ("min", 10.0)])
def test_the_best_epoch_is_the_value(start, kept, tmp_path, mode, best):
    trial = start(mode=mode)
    assert trial.settings == {"epochs": 3}
    assert trial.folder == tmp_path / "trials" / "0"
    assert report(trial, 20.0, 30.0, 10.0) == [False] * 3
    assert kept().intermediate_values == {1: 20.0, 2: 30.0, 3: 10.0}
    trial.complete(None, peak_mb=9)
    assert kept().state.name == "COMPLETE"
    assert kept().value == best
    assert kept().user_attrs == {"peak_mb": 9}


def test_what_the_function_returned_wins(start, kept):
    trial = start()
    report(trial, 20.0)
    trial.complete(np.float32(12.5))
    assert kept().value == 12.5


@pytest.mark.parametrize("value", [{"accuracy": 0.5}, True, "done"])
def test_what_is_no_number_leaves_the_best_epoch(start, kept, value):
    trial = start()
    report(trial, 20.0, 30.0, 10.0)
    trial.complete(value)
    assert (kept().state.name, kept().value) == ("COMPLETE", 30.0)


@pytest.mark.parametrize("value", [None, math.nan, {"a": 1}])
def test_without_a_number_a_trial_failed(start, kept, value):
    start().complete(value, peak_mb=9)
    assert kept().state.name == "FAIL"
    assert kept().user_attrs["error"] == (
        "Expected val_bleu from TrialCallback, or a finite number returned. "
        f"Received: {value}"
    )
    assert kept().user_attrs["peak_mb"] == 9


def test_other_trials_decide_whether_it_is_pruned(start, kept):
    for _ in range(5):
        trial = start(pruner="median")
        report(trial, 20.0, 30.0)
        trial.complete(None)
    trial = start(pruner="median")
    assert report(trial, 20.0, 29.0) == [False, True]
    trial.prune()
    assert kept().state.name == "PRUNED"
    assert kept().intermediate_values == {1: 20.0, 2: 29.0}


def test_logs_must_hold_finite_numbers_and_the_monitored_one(start):
    trial = start()
    with pytest.raises(ValueError, match="finite numbers.*Received: val_bleu=nan"):
        report(trial, math.nan)
    with pytest.raises(ValueError, match="Expected val_bleu in the logs.*Received: lo"):
        trial.report({"loss": 1.0})
