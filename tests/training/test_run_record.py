import json

import pytest

from kftune.training import read_runs

SETTINGS = {"epochs": 2, "freeze": None}
HISTORY = "epoch,loss,val_loss\n0,0.5,0.6\n1,0.25,NA\n"


@pytest.fixture
def make_run(tmp_path):
    def make(name, **files):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for file, text in files.items():
            path = folder / file.replace("_", ".")
            path.write_text(text if isinstance(text, str) else json.dumps(text))
        return folder

    return make


def test_what_a_run_has_left_is_read(make_run):
    results = {"settings": SETTINGS, "test": {"accuracy": 0.5}}
    ended = make_run("ended", settings_json=SETTINGS, results_json=results)
    going_on = make_run("going", settings_json=SETTINGS, history_csv=HISTORY)
    several = make_run("several", results_json=results)
    first, second, third = read_runs([ended, str(going_on), several])
    assert (first.name, first.folder) == ("ended", ended)
    assert (first.settings, first.results, first.history) == (SETTINGS, results, {})
    assert second.results == {}
    assert second.history["loss"] == [0.5, 0.25]
    assert second.history["val_loss"] == pytest.approx([0.6, float("nan")], nan_ok=True)
    assert third.settings == SETTINGS


def test_runs_of_one_name_are_told_apart_by_their_paths(make_run):
    folders = [make_run(f"{name}/0", settings_json=SETTINGS) for name in "ab"]
    assert [run.name for run in read_runs(folders)] == [str(path) for path in folders]


def test_all_that_is_wrong_is_listed(make_run, tmp_path):
    wrong = {
        tmp_path / "nowhere": "no such folder",
        make_run(
            "foreign", notes_txt="hello"
        ): "neither settings.json nor results.json",
        make_run("cut", settings_json='{"epochs": '): "settings.json is damaged",
        make_run("list", results_json=[1]): "results.json is no JSON object but a list",
        make_run("odd", results_json={"settings": 3}): "the settings in results.json",
        make_run("words", settings_json={}, history_csv="epoch,loss\n0,low\n"): (
            "history.csv is damaged (ValueError("
        ),
    }
    with pytest.raises(ValueError) as raised:
        read_runs([make_run("fine", settings_json={}), *wrong])
    message = str(raised.value)
    for folder, what in wrong.items():
        assert f"{folder}: {what}" in message
    assert "fine" not in message


def test_no_run_and_one_given_twice_are_refused(make_run):
    with pytest.raises(ValueError, match="Received: none"):
        read_runs([])
    folder = make_run("once", settings_json={})
    with pytest.raises(ValueError, match="once: given twice"):
        read_runs([folder, folder])
