import pytest

from kftune.evaluation import write_outputs
from kftune.evaluation.run_outputs import read_outputs

COLUMNS = {
    "source": ["fresh", "rotten"],
    "target": ["A\ttreat.", 'A "bore".'],
    "gpt2": ["Fun,\nand more.", "\r" + "long " * 30_000],
}


def test_what_is_written_is_read(tmp_path):
    write_outputs(tmp_path / "samples.tsv", **COLUMNS)
    table = read_outputs(tmp_path)["samples.tsv"]
    assert {name: [row[name] for row in table] for name in COLUMNS} == COLUMNS
    assert list(tmp_path.iterdir()) == [tmp_path / "samples.tsv"]


@pytest.mark.parametrize(
    ("changes", "received"),
    [
        ({"gpt2": ["Fun."]}, "'target': 2, 'gpt2': 1"),
        ({"source": []}, "'source': 0"),
    ],
)
def test_columns_of_other_lengths_are_refused(tmp_path, changes, received):
    with pytest.raises(ValueError, match=received):
        write_outputs(tmp_path / "samples.tsv", **{**COLUMNS, **changes})
    assert not list(tmp_path.iterdir())


def test_outputs_are_expected(tmp_path):
    with pytest.raises(ValueError, match="Expected outputs.*'target': 1}"):
        write_outputs(tmp_path / "samples.tsv", source=["a"], target=["b"])
