import math

import pytest

from kftune.evaluation import write_results
from kftune.training.run_folder import (
    open_run,
    open_runs,
    read_finished,
    read_history,
)


def stopped(folder, settings):
    """A folder as a killed run leaves it."""
    open_run(folder, settings)
    (folder / "backup").mkdir()
    (folder / "best.weights.h5").write_text("weights")
    (folder / "history.csv").write_text("epoch,loss\n0,3.0\n1,2.0\n1,1.5\n2,")


def test_a_stopped_run_goes_on_with_the_same_settings(tmp_path, capsys):
    stopped(tmp_path, {"epochs": 3, "out": tmp_path})
    assert open_run(tmp_path, {"epochs": 3, "out": tmp_path})
    assert "going on after 2 epochs" in capsys.readouterr().out
    assert (tmp_path / "best.weights.h5").exists()
    # The next epoch's line does not go on in one that a kill has cut off.
    assert (tmp_path / "history.csv").read_text().endswith("1,1.5\n")


def test_a_run_that_ended_is_found_by_its_settings(tmp_path):
    settings = {"epochs": 3, "out": tmp_path, "rates": (0.1, 0.2)}
    assert read_finished(tmp_path, settings) is None
    written = write_results(tmp_path / "results.json", settings=settings, bleu=12.5)
    assert read_finished(tmp_path, settings) == written
    assert written["bleu"] == 12.5
    assert read_finished(tmp_path, {**settings, "epochs": 4}) is None
    open_run(tmp_path, settings)
    assert read_finished(tmp_path, settings) is None


def test_runs_that_were_stopped_go_on_and_those_that_ended_are_made_anew(tmp_path):
    settings = {"epochs": 3}
    open_runs(tmp_path / "out")
    write_results(tmp_path / "out" / "a" / "results.json", settings=settings)
    open_runs(tmp_path / "out")
    assert read_finished(tmp_path / "out" / "a", settings) is not None
    write_results(tmp_path / "out" / "results.json", settings=settings)
    (tmp_path / "out" / "a" / "best.weights.h5").write_text("weights")
    open_runs(tmp_path / "out")
    assert read_finished(tmp_path / "out" / "a", settings) is None
    assert not (tmp_path / "out" / "results.json").exists()
    assert (tmp_path / "out" / "a" / "best.weights.h5").exists()


def test_other_settings_are_refused_all_at_once(tmp_path):
    stopped(tmp_path, {"freeze": "nothing", "seed": 0, "epochs": 3})
    message = (
        "epochs: expected 3, received 4; "
        "freeze: expected 'nothing', received 'backbone'.*delete"
    )
    with pytest.raises(ValueError, match=message):
        open_run(tmp_path, {"freeze": "backbone", "seed": 0, "epochs": 4})
    assert open_run(
        tmp_path, {"freeze": "nothing", "seed": 0, "epochs": 4}, may_differ=["epochs"]
    )


def test_an_ended_run_leaves_nothing_to_the_next(tmp_path):
    stopped(tmp_path, {"seed": 0})
    (tmp_path / "backup").rmdir()
    for name in ("tensorboard", "model"):
        (tmp_path / name).mkdir()
    (tmp_path / "results.json").write_text("{}")
    assert not open_run(tmp_path, {"seed": 1})
    # A model is replaced when the next one is complete.
    assert {path.name for path in tmp_path.iterdir()} == {"settings.json", "model"}


def test_what_was_not_logged_is_no_number(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,bleu,val_bleu\n0,NA,NA\n1,2.5,NA\n")
    history = read_history(tmp_path)
    assert list(history) == ["bleu"]
    assert math.isnan(history["bleu"][0]) and history["bleu"][1] == 2.5


def test_history_has_each_whole_epoch_once(tmp_path):
    stopped(tmp_path, {})
    # The third line was trained again, the last one is cut off.
    assert read_history(tmp_path) == {"loss": [3.0, 1.5]}
    assert read_history(tmp_path / "missing") == {}
