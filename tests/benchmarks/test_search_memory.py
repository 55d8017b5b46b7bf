import json

import pytest


@pytest.mark.slow
def test_what_a_trial_keeps_goes_with_its_process(run, tmp_path):
    run("search_memory.py", "--trials=2", f"--out={tmp_path}")
    report = json.loads((tmp_path / "memory.json").read_text())
    first, second = report["trial_mb"]
    assert first > 100
    # Each keeps 100 MB; the next one and the search have nothing of it.
    assert second == pytest.approx(first, abs=50)
    assert report["search_mb_after_2"] - report["search_mb_after_1"] < 50
