"""Trials that are handed out once, whatever becomes of the worker that has them."""

import json

import pytest

from kftune.training.search_study import MOST_RETRIES, SearchStudy

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


@pytest.fixture
def join(tmp_path, dead):
    """Lets a worker join a study; workers of one name have one folder."""

    def worker(name, folder="study", sampler="random", n_trials=4):
        settings = {"space": SPACE, "sampler": sampler, "pruner": "nothing"}
        settings |= {"mode": "max", "seed": 5}
        (tmp_path / folder).mkdir(exist_ok=True)
        return SearchStudy(tmp_path / folder, Heartbeat(name, dead), settings, n_trials)

    return worker


def states(study):
    return [t.state.name for t in study.study.get_trials()]


def claim_all(study):
    trials = list(iter(study.claim, None))
    return [study.settings_of(trial) for trial in trials]


def test_settings_of_a_dead_worker_are_tried_again(join, dead):
    undisturbed = claim_all(join("a", "other"))
    killed = join("killed")
    lost = [killed.claim(), killed.claim()]
    killed.tell(lost[0], value=0.5)
    other = join("b")
    third = other.claim()
    dead.add("killed")
    retried = other.claim()
    assert retried.number == 3
    assert retried.user_attrs["retry_of"] == 1
    assert other.settings_of(retried) == killed.settings_of(lost[1])
    last = other.claim()
    assert other.claim() is None
    assert states(other) == ["COMPLETE", "FAIL", "RUNNING", "RUNNING", "RUNNING"]

    given = [killed.settings_of(lost[0])]
    given += [other.settings_of(trial) for trial in (retried, third, last)]
    assert given == undisturbed
    assert given[0].keys() == {"epochs", "rate", "width"}
    assert not other.is_done()
    for trial in (third, retried, last):
        other.tell(trial, value=1.0)
    assert other.is_done()


def test_what_a_worker_taken_for_dead_says_is_too_late(join, dead):
    slow = join("slow")
    trial = slow.claim()
    assert slow.report(trial, 0.1) is False
    dead.add("slow")
    other = join("b")
    again = other.claim()
    assert slow.report(trial, 0.2) is True  # nobody waits for it
    slow.tell(trial, value=0.9)
    assert states(other) == ["FAIL", "RUNNING"]
    assert other.reported(again) == []
    assert other.study.get_trials()[0].value is None


def test_a_worker_killed_while_it_claims_loses_nothing(join):
    killed = join("killed")
    # The trial exists, its worker is not written yet, nor all of its settings.
    trial = killed.study.ask()
    trial.suggest_float("rate", 0.0, 1.0)
    again = join("b").claim()
    assert again.user_attrs["retry_of"] == 0
    assert again.params["rate"] == trial.params["rate"]
    assert again.params["width"] in (8, 16)


def test_a_worker_killed_while_it_hands_out_again_does_so_once(join, dead):
    killed = join("killed")
    settings = killed.settings_of(killed.claim())
    dead |= {"killed", "second"}
    second = join("second")
    # Queued again, but the lost trial is not given up yet.
    second.study.enqueue_trial(
        {k: settings[k] for k in ("rate", "width")}, user_attrs={"retry_of": 0}
    )
    third = join("third")
    given = claim_all(third)
    assert len(given) == 4
    assert given[0] == settings
    assert len({item["rate"] for item in given}) == 4


def test_settings_that_kill_every_worker_are_given_up(join, dead):
    for number in range(MOST_RETRIES + 1):
        study = join(f"worker {number}", n_trials=1)
        assert study.claim() is not None
        dead.add(f"worker {number}")
    last = join("last", n_trials=1)
    assert last.claim() is None
    assert states(last) == ["FAIL"] * (1 + MOST_RETRIES)
    assert last.is_done()


def test_an_interrupted_worker_gives_its_trial_back(join):
    study = join("a")
    trial = study.claim()
    study.give_back(trial)
    again = study.claim()
    assert again.user_attrs["retry_of"] == trial.number
    assert study.settings_of(again) == study.settings_of(trial)


def test_points_of_a_grid_are_not_lost(join, dead, tmp_path):
    points = {"rate": [0.1, 0.2], "width": [8, 16]}
    settings = {"space": points, "sampler": "grid", "pruner": "nothing"}
    settings |= {"mode": "max", "seed": 5}
    studies = [
        SearchStudy(tmp_path, Heartbeat(name, dead), settings, None) for name in "ab"
    ]
    first = studies[0].settings_of(studies[0].claim())
    # Queued, and killed before it was claimed.
    studies[0].study.enqueue_trial({"rate": 0.1, "width": 16})
    dead.add("a")
    given = claim_all(studies[1])
    assert first == {"rate": 0.1, "width": 8}
    assert sorted(map(tuple, map(dict.values, given))) == [
        (0.1, 8),
        (0.1, 16),
        (0.2, 8),
        (0.2, 16),
    ]


def test_a_journal_that_a_full_disk_cut_off_goes_on(join, tmp_path):
    study = join("a")
    study.tell(study.claim(), value=0.25)
    journal = tmp_path / "study" / "journal.log"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":6,"worker')
    again = join("b")
    again.tell(again.claim(), value=0.5)
    assert [t.value for t in join("c").study.get_trials()] == [0.25, 0.5]
    assert journal.read_bytes().startswith(whole)
    for line in journal.read_text().splitlines():
        json.loads(line)
