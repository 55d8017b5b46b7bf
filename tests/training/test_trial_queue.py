"""Trials that are handed out once, whatever becomes of the worker that has them."""

import pytest

from kftune.training.search_study import SearchStudy
from kftune.training.search_trial import SearchTrial
from kftune.training.trial_queue import MOST_RETRIES, TrialQueue

SPACE = {"rate": {"low": 0.0, "high": 1.0}, "width": [8, 16], "epochs": 3}


class Heartbeat:
    """A worker that dies when it is told so."""

    def __init__(self, name, dead):
        self.name, self._dead = name, dead

    def is_alive(self, name):
        return name not in self._dead


@pytest.fixture
def dead():
    return set()


class Worker:
    """A worker's view of a study: claims trials, and says what came of them."""

    def __init__(self, folder, heartbeat, sampler, n_trials, space):
        settings = {"space": space, "sampler": sampler, "pruner": "nothing"}
        settings |= {"mode": "max", "monitor": "val_accuracy", "seed": 5}
        self.study = SearchStudy(folder, settings)
        self.queue = TrialQueue(self.study, heartbeat, n_trials)

    def claim(self):
        number = self.queue.claim()
        return None if number is None else SearchTrial(self.study, number)

    def claim_all(self):
        return [trial.settings for trial in iter(self.claim, None)]

    def trials(self):
        return self.study.trials()

    def states(self):
        return [trial.state.name for trial in self.trials()]


@pytest.fixture
def join(tmp_path, dead):
    """Lets a worker join the study of a folder."""

    def join(name, folder="study", sampler="random", n_trials=4, space=SPACE):
        return Worker(
            tmp_path / folder, Heartbeat(name, dead), sampler, n_trials, space
        )

    return join


def test_settings_of_a_dead_worker_are_tried_again(join, dead):
    undisturbed = join("a", "other").claim_all()
    killed = join("killed")
    lost = [killed.claim(), killed.claim()]
    weights = lost[1].folder / "best.weights.h5"
    weights.parent.mkdir(parents=True)
    weights.touch()
    lost[0].complete(0.5)
    other = join("b")
    third = other.claim()
    dead.add("killed")
    retried = other.claim()
    assert other.trials()[3].user_attrs["retry_of"] == 1
    assert retried.settings == lost[1].settings
    assert not weights.exists()
    last = other.claim()
    assert other.claim() is None
    assert other.states() == ["COMPLETE", "FAIL", "RUNNING", "RUNNING", "RUNNING"]

    given = [trial.settings for trial in (lost[0], retried, third, last)]
    assert given == undisturbed
    assert given[0].keys() == {"epochs", "rate", "width"}
    assert not other.queue.is_done()
    for trial in (third, retried, last):
        trial.complete(1.0)
    assert other.queue.is_done()


def test_what_a_worker_taken_for_dead_says_is_too_late(join, dead):
    slow = join("slow").claim()
    assert slow.report({"val_accuracy": 0.1}) is False
    dead.add("slow")
    other = join("b")
    other.claim()
    assert slow.report({"val_accuracy": 0.2}) is True  # nobody waits for it
    slow.complete(0.9)
    slow.fail("too late")
    assert other.states() == ["FAIL", "RUNNING"]
    assert other.trials()[0].value is None
    assert other.trials()[1].intermediate_values == {}


def test_a_worker_killed_while_it_claims_loses_nothing(join):
    # The trial exists, its worker is not written yet, nor all of its settings.
    trial = join("killed").study.study.ask()
    trial.suggest_float("rate", 0.0, 1.0)
    other = join("b")
    again = other.claim()
    assert other.trials()[1].user_attrs["retry_of"] == 0
    assert again.settings["rate"] == trial.params["rate"]
    assert again.settings["width"] in (8, 16)


def test_a_worker_killed_while_it_hands_out_again_does_so_once(join, dead):
    settings = join("killed").claim().settings
    dead |= {"killed", "second"}
    # Queued again, but the lost trial is not given up yet.
    join("second").study.study.enqueue_trial(
        {name: settings[name] for name in ("rate", "width")},
        user_attrs={"retry_of": 0},
    )
    given = join("third").claim_all()
    assert len(given) == 4
    assert given[0] == settings
    assert len({item["rate"] for item in given}) == 4


def test_settings_that_kill_every_worker_are_given_up(join, dead):
    for number in range(MOST_RETRIES + 1):
        assert join(f"worker {number}", n_trials=1).claim() is not None
        dead.add(f"worker {number}")
    last = join("last", n_trials=1)
    assert last.claim() is None
    assert last.states() == ["FAIL"] * (1 + MOST_RETRIES)
    assert last.queue.is_done()


def test_an_interrupted_worker_gives_its_trial_back(join):
    worker = join("a")
    trial = worker.claim()
    worker.queue.give_back(0)
    assert worker.claim().settings == trial.settings
    assert worker.trials()[1].user_attrs["retry_of"] == 0


def test_points_of_a_grid_are_not_lost(join, dead):
    grid = {"sampler": "grid", "n_trials": None}
    grid["space"] = {"rate": [0.1, 0.2], "width": [8, 16]}
    killed = join("a", **grid)
    first = killed.claim().settings
    # Queued, and killed before it was claimed.
    killed.study.study.enqueue_trial({"rate": 0.1, "width": 16})
    dead.add("a")
    given = join("b", **grid).claim_all()
    assert first == {"rate": 0.1, "width": 8}
    assert sorted(tuple(point.values()) for point in given) == [
        (0.1, 8),
        (0.1, 16),
        (0.2, 8),
        (0.2, 16),
    ]


def test_a_trial_that_told_how_it_ended_is_not_given_back(join):
    worker = join("a")
    done, _ = worker.claim(), worker.claim()
    done.complete(0.5, peak_mb=1)
    assert not worker.queue.give_back(0)
    assert worker.queue.give_back(1)
    retries = [trial.user_attrs.get("retry_of") for trial in worker.trials()]
    assert retries == [None, None, 1]
