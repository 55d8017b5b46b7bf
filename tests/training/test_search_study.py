import json

import pytest

from kftune.training.search_study import SearchStudy

SETTINGS = {"space": {"rate": [1, 2], "epochs": 3}, "pruner": "median", "mode": "max"}


def test_a_folder_tells_its_settings(tmp_path):
    study = SearchStudy(tmp_path / "new", SETTINGS)
    assert study.study.direction.name == "MAXIMIZE"
    study.study.ask()
    again = SearchStudy(tmp_path / "new")
    assert again.settings == SETTINGS
    assert again.study.pruner.__class__.__name__ == "MedianPruner"
    assert again.running_trial(0).number == 0
    assert len(again.trials("RUNNING")) == len(again.trials()) == 1
    assert again.trials("COMPLETE") == []
    assert again.best_trial() is None
    with pytest.raises(ValueError, match="mode: expected 'max', received 'min'"):
        SearchStudy(tmp_path / "new", {**SETTINGS, "mode": "min"})


def test_settings_of_a_trial_are_those_of_all_and_its_own(tmp_path):
    study = SearchStudy(tmp_path, SETTINGS)
    study.study.enqueue_trial({"rate": 2})
    trial = study.study.ask()
    trial.suggest_categorical("rate", [1, 2])
    assert study.settings_of(trial) == {"rate": 2, "epochs": 3}


def test_what_the_function_takes_as_a_list_is_one(tmp_path):
    space = {"rate": [1, 2], "names": "a", "more": None, "none": None}
    lists = {"names": [], "more": None, "none": []}
    study = SearchStudy(tmp_path, {**SETTINGS, "space": space}, lists)
    trial = study.study.ask()
    trial.suggest_categorical("rate", [1, 2])
    expected = {"names": ["a"], "more": None, "none": [], "rate": trial.params["rate"]}
    assert study.settings_of(trial) == expected
    assert SearchStudy(tmp_path).settings_of(trial) == expected
    # The function has changed: the study goes on, by what it takes now.
    changed = SearchStudy(tmp_path, {**SETTINGS, "space": space}, {"rate": []})
    assert changed.settings_of(trial)["names"] == "a"


def test_one_worker_at_a_time_is_alone(tmp_path):
    study = SearchStudy(tmp_path, SETTINGS)
    with study.alone():
        assert (tmp_path / "study.lock").exists()
    assert not (tmp_path / "study.lock").exists()


def test_a_journal_that_a_full_disk_cut_off_goes_on(tmp_path):
    study = SearchStudy(tmp_path, SETTINGS).study
    study.tell(study.ask(), 0.25)
    journal = tmp_path / "journal.log"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":6,"worker')
    again = SearchStudy(tmp_path).study
    again.tell(again.ask(), 0.5)
    assert [trial.value for trial in SearchStudy(tmp_path).trials()] == [0.25, 0.5]
    assert journal.read_bytes().startswith(whole)
    for line in journal.read_text().splitlines():
        json.loads(line)
