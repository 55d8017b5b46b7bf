import json
from pathlib import Path

import keras
import numpy as np
import pytest

from kftune.evaluation.results import write_results
from kftune.tuning import BlockCount, FreezeReport


def write(path, **changes):
    arguments = {
        "settings": {"out": Path("runs/a"), "freeze": None, "splits": (0.8, 0.2)},
        "seed": 3,
        "times": {"fit": np.float32(2.5)},
        "examples_per_second": np.float64(145.5),
        "test": {"accuracy": np.float64(0.75), "macro_f1": 0.5},
        "baselines": {
            "majority": {"accuracy": 0.6},
            "naive_bayes": {"accuracy": 0.7},
        },
    }
    return write_results(path, **{**arguments, **changes})


def test_file_holds_scores_settings_and_circumstances(tmp_path):
    path = tmp_path / "runs" / "results.json"
    returned = write(path)
    results = json.loads(path.read_text(encoding="utf-8"))
    assert results == returned
    assert results["test"] == {"accuracy": 0.75, "macro_f1": 0.5}
    assert results["baselines"]["majority"]["accuracy"] == 0.6
    assert results["baselines"]["naive_bayes"]["accuracy"] == 0.7
    assert results["settings"] == {
        "out": "runs/a",
        "freeze": None,
        "splits": [0.8, 0.2],
    }
    assert (results["seed"], results["times"]) == (3, {"fit": 2.5})
    assert results["examples_per_second"] == 145.5
    assert results["versions"]["keras"] == keras.version()
    assert results["versions"]["backend"] == keras.config.backend()
    assert results["finished"].endswith("+00:00")


def test_dataclasses_become_their_fields(tmp_path):
    path = tmp_path / "results.json"
    blocks = (BlockCount("embedding", 0, np.int64(9)), BlockCount("head", 4, 0))
    write(path, freezing=FreezeReport("backbone", 4, 9, None, blocks))
    freezing = json.loads(path.read_text())["freezing"]
    assert freezing["policy"] == "backbone" and freezing["optimizer_bytes"] is None
    assert freezing["blocks"][0] == {
        "name": "embedding",
        "trainable_params": 0,
        "frozen_params": 9,
    }
    assert [block["name"] for block in freezing["blocks"]] == ["embedding", "head"]


def test_what_json_cannot_hold_becomes_null(tmp_path):
    path = tmp_path / "results.json"
    write(path, test={"accuracy": float("nan"), "macro_f1": np.float32("inf")})
    assert json.loads(path.read_text())["test"] == {"accuracy": None, "macro_f1": None}


def test_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "results.json"
    write(path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match="object"):
        write(path, settings={"model": object()})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
