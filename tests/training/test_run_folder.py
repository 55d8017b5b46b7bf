import math
import os

import pytest

from kftune.evaluation import write_results
from kftune.training import close_run, overwriting
from kftune.training.checkpoint_folder import CheckpointFolder
from kftune.training.run_folder import (
    open_run,
    open_runs,
    read_finished,
    read_history,
)

LINES = ["epoch,loss", "0,3.0", "1,2.0", "2,1.5", "3,1."]


def stopped(folder, settings, epochs=2, steps=0):
    """A folder as a killed run leaves it, in the midst of a line of its history."""
    open_run(folder, settings)
    CheckpointFolder(folder / "checkpoints").write((epochs, steps), {}, {})
    (folder / "best.weights.h5").write_text("weights")
    (folder / "history.csv").write_bytes("\r\n".join(LINES).encode())


def ended(folder, settings):
    """A folder as a run leaves it."""
    stopped(folder, settings)
    write_results(folder / "results.json", settings=settings)
    close_run(folder)


def contents(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in paths}


def test_a_stopped_run_goes_on_with_the_same_settings(tmp_path, capsys):
    stopped(tmp_path, {"epochs": 3, "out": "a", "rates": (0.1, 0.2)})
    (tmp_path / ".0123456789ab-model").mkdir()
    assert open_run(tmp_path, {"epochs": 3, "out": "./a", "rates": (0.1, 0.2)})
    assert "going on after 2 epochs\n" in capsys.readouterr().out
    # What was logged after the checkpoint is logged again; line ends stay.
    expected = "".join(f"{line}\r\n" for line in LINES[:3])
    assert (tmp_path / "history.csv").read_bytes() == expected.encode()
    assert sorted(os.listdir(tmp_path)) == [
        *("best.weights.h5", "checkpoints", "history.csv", "settings.json")
    ]


def test_a_run_goes_on_inside_an_epoch(tmp_path, capsys):
    stopped(tmp_path, {}, epochs=0, steps=120)
    assert open_run(tmp_path, {})
    assert "going on after 0 epochs and 120 steps" in capsys.readouterr().out
    assert (tmp_path / "history.csv").read_text() == "epoch,loss\n"


def test_a_run_without_a_checkpoint_begins_anew(tmp_path):
    stopped(tmp_path, {"seed": 0})
    close_run(tmp_path)
    (tmp_path / "tensorboard").mkdir()
    (tmp_path / "model").mkdir()
    with pytest.raises(ValueError, match="seed: expected 0, received 1"):
        open_run(tmp_path, {"seed": 1})
    assert not open_run(tmp_path, {"seed": 0, "epochs": 4}, may_differ=["epochs"])
    # A model is replaced when the next one is complete.
    assert sorted(os.listdir(tmp_path)) == ["model", "settings.json"]


def test_a_run_that_has_ended_is_left_alone(tmp_path):
    ended(tmp_path, {"seed": 0, "epochs": 3})
    before = contents(tmp_path)
    with pytest.raises(FileExistsError, match=r"that has ended, see results\.json"):
        open_run(tmp_path, {"seed": 0, "epochs": 3})
    message = r"which has ended: epochs: expected 3, received 4; seed: expected 0"
    with pytest.raises(ValueError, match=message):
        open_run(tmp_path, {"seed": 1, "epochs": 4}, may_differ=["epochs"])
    assert contents(tmp_path) == before


def test_a_kill_while_a_run_is_closed_leaves_a_run_that_has_ended(
    tmp_path, monkeypatch
):
    settings = {"epochs": 3}
    stopped(tmp_path, settings)
    write_results(tmp_path / "results.json", settings=settings)

    def killed(path, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("shutil.rmtree", killed)
        close_run(tmp_path)
    assert not (tmp_path / "checkpoints").exists()
    with pytest.raises(FileExistsError, match="has ended"):
        open_run(tmp_path, settings)


def test_more_of_an_ended_run_is_trained_if_its_checkpoints_are_there(tmp_path):
    stopped(tmp_path, {"epochs": 2})
    write_results(tmp_path / "results.json", settings={})
    with pytest.raises(FileExistsError):
        open_run(tmp_path, {"epochs": 2}, ["epochs"])
    with pytest.raises(ValueError, match="epochs: expected 2, received 3"):
        open_run(tmp_path, {"epochs": 3})
    assert open_run(tmp_path, {"epochs": 3}, ["epochs"])
    assert not (tmp_path / "results.json").exists()
    close_run(tmp_path)
    write_results(tmp_path / "results.json", settings={})
    with pytest.raises(ValueError, match="epochs: expected 3, received 4"):
        open_run(tmp_path, {"epochs": 4}, ["epochs"])


@pytest.mark.parametrize("make", [stopped, ended])
def test_overwriting_discards_what_is_there(make, tmp_path):
    make(tmp_path, {"seed": 0})
    (tmp_path / "epochs").mkdir()
    with overwriting(False), pytest.raises(ValueError, match="seed"):
        open_run(tmp_path, {"seed": 1})
    with overwriting():
        assert not open_run(tmp_path, {"seed": 1})
    assert os.listdir(tmp_path) == ["settings.json"]
    stopped(tmp_path, {"seed": 1})
    assert open_run(tmp_path, {"seed": 1})


def test_other_settings_are_refused_all_at_once(tmp_path):
    stopped(tmp_path, {"freeze": "nothing", "seed": 0, "epochs": 3})
    before = contents(tmp_path)
    message = (
        "which was stopped: epochs: expected 3, received 4; "
        "freeze: expected 'nothing', received 'backbone'.*--overwrite"
    )
    with pytest.raises(ValueError, match=message):
        open_run(tmp_path, {"freeze": "backbone", "seed": 0, "epochs": 4})
    assert contents(tmp_path) == before
    assert open_run(
        tmp_path, {"freeze": "nothing", "seed": 0, "epochs": 4}, may_differ=["epochs"]
    )


def test_a_run_that_ended_is_found_by_its_settings(tmp_path):
    settings = {"epochs": 3, "out": tmp_path, "rates": (0.1, 0.2)}
    assert read_finished(tmp_path, settings) is None
    written = write_results(tmp_path / "results.json", settings=settings, bleu=12.5)
    assert read_finished(tmp_path, settings) == written
    assert written["bleu"] == 12.5
    assert read_finished(tmp_path, {**settings, "out": "elsewhere"}) == written
    assert read_finished(tmp_path, {**settings, "epochs": 4}) is None


def test_of_several_runs_those_that_ended_are_kept(tmp_path):
    out, settings = tmp_path / "out", {"regimes": ["a", "b"], "seed": 0}
    open_runs(out, settings)
    ended(out / "a", {"seed": 0})
    open_runs(out, settings)
    assert read_finished(out / "a", {"seed": 0}) is not None
    with pytest.raises(ValueError, match="was stopped: seed: expected 0, received 1"):
        open_runs(out, {**settings, "seed": 1})

    write_results(out / "results.json", settings=settings)
    with pytest.raises(FileExistsError, match="has ended"):
        open_runs(out, settings, ["regimes"])
    open_runs(out, {**settings, "regimes": ["a", "c"]}, ["regimes"])
    assert not (out / "results.json").exists()
    assert read_finished(out / "a", {"seed": 0}) is not None

    write_results(out / "results.json", settings=settings)
    with overwriting():
        open_runs(out, {"regimes": ["a"], "seed": 1})
    assert read_finished(out / "a", {"seed": 0}) is None
    assert not (out / "results.json").exists()


def test_what_was_not_logged_is_no_number(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,bleu,val_bleu\n0,NA,NA\n1,2.5,NA\n")
    history = read_history(tmp_path)
    assert list(history) == ["bleu"]
    assert math.isnan(history["bleu"][0]) and history["bleu"][1] == 2.5


def test_history_has_whole_epochs(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss\n0,3.0\n1,1.5\n2,")
    assert read_history(tmp_path) == {"loss": [3.0, 1.5]}
    assert read_history(tmp_path / "missing") == {}


def test_what_no_run_made_is_not_cleared_away(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/mine.ckpt").write_text("hours of work")
    (tmp_path / "history.csv").write_text("mine")
    for overwrite in (False, True):
        with (
            overwriting(overwrite),
            pytest.raises(FileExistsError, match="without checkpoints, history.csv"),
        ):
            open_run(tmp_path, {"epochs": 3})
    assert (tmp_path / "checkpoints/mine.ckpt").read_text() == "hours of work"
    (tmp_path / "run").mkdir()
    (tmp_path / "run/notes.txt").write_text("mine")
    assert not open_run(tmp_path / "run", {"epochs": 3})
    assert not open_run(tmp_path / "run", {"epochs": 3})
    assert (tmp_path / "run/notes.txt").exists()


def test_checkpoints_of_another_tool_are_left_alone(tmp_path):
    theirs = tmp_path / "checkpoints" / "ckpt-1"
    theirs.parent.mkdir()
    theirs.write_text("hours of work")
    (tmp_path / "settings.json").write_text("{}")
    for overwrite in (False, True):
        with (
            overwriting(overwrite),
            pytest.raises(FileExistsError, match="'ckpt-1', which no run writes"),
        ):
            open_run(tmp_path, {"seed": 0})
    assert theirs.read_text() == "hours of work"


def test_runs_that_were_not_made_together_are_left_alone(tmp_path):
    ended(tmp_path / "reviews", {"seed": 0})
    for overwrite in (False, True):
        with (
            overwriting(overwrite),
            pytest.raises(FileExistsError, match="with the results of .*/reviews. Ch"),
        ):
            open_runs(tmp_path, {"seeds": [0]})
    assert read_finished(tmp_path / "reviews", {"seed": 0}) is not None
    assert not (tmp_path / "settings.json").exists()
