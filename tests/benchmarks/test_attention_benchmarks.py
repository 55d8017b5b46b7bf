import re

import pytest

pytestmark = pytest.mark.backend

TINY = [
    f"--{name}={value}"
    for name, value in (
        ("batch", 2),
        ("length", 8),
        ("hidden", 16),
        ("heads", 2),
        ("turns", 2),
        ("dtype", "float32"),
    )
]


def test_gpu_says_that_there_is_none(run, capsys):
    with pytest.raises(SystemExit, match=r"No GPU: \w+ sees \['CPU'\] alone"):
        run("gpu.py")
    assert "ms" not in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.parametrize(
    ("script", "arguments", "sides"),
    [
        ("gpu.py", ["--any-device"], ["no "]),
        ("attention.py", [], ["kftune", "keras"]),
        ("attention_variants.py", [], ["keras", "one product", "projections alone"]),
    ],
)
def test_a_table_of_ratios(run, script, arguments, sides):
    printed = run(script, *TINY, *arguments)
    assert re.search(rf"KERAS_BACKEND=\w+ python \S*{script} --batch=2", printed)
    assert re.search(r"\d cores, Python 3\.\d+", printed)
    for side in sides:
        pattern = rf"\| .*{side}.* \| \d+\.\d\d \| \d+\.\d+ \(\d+\.\d+ to \d+\.\d+\) \|"
        assert re.search(pattern, printed), printed
