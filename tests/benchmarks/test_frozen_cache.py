import re

import pytest

TINY = ["--layers=2", "--hidden=64", "--vocabulary=50", "--batch=4", "--rows=10"]


@pytest.mark.long
@pytest.mark.backend
def test_a_cached_fit_has_the_losses_of_one_without(run):
    arguments = ["--epochs=2", "--turns=1", "--policies", "all_but_last:1"]
    printed = run("frozen_cache.py", *TINY, *arguments)
    losses = re.findall(r"cached: (\w+), losses (.+)", printed)
    assert [cached for cached, _ in losses] == ["True", "False"]
    with_cache, without = (list(map(float, text.split())) for _, text in losses)
    assert with_cache == pytest.approx(without, abs=1e-5)
    assert len(without) == 2
    assert re.search(r"\| all_but_last:1, no cache \| \d+\.\d\d \| \d\.\d+ ", printed)
