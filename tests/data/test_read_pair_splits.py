import pytest

from kftune.data import clean_pairs, read, read_pair_splits, split

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def table(tmp_path):
    """Writes numbered pairs into a file."""

    def write(name, numbers):
        path = tmp_path / name
        lines = [f"House number {i}.\tHaus Nummer {i}." for i in numbers]
        path.write_text("\n".join(["source\ttarget", *lines]) + "\n", "utf-8")
        return path

    return write


def test_a_tenth_each_by_the_seed(table):
    path = table("pairs.tsv", range(60))
    splits = read_pair_splits([path], seed=3)
    expected = split(clean_pairs(read(path))[0], seed=3)
    assert [len(splits[name]) for name in ("train", "validation", "test")] == [48, 6, 6]
    for name, rows in splits.items():
        assert rows["source"][:] == expected[name]["source"][:]
        assert rows["target"][:] == expected[name]["target"][:]


def test_given_parts_stay_whole_and_training_shares_no_text_with_them(table):
    train, test = table("train.tsv", range(60)), table("test.tsv", range(50, 70))
    splits = read_pair_splits([train], test=str(test))
    sources = {name: set(rows["source"]) for name, rows in splits.items()}
    assert splits["test"]["source"][:] == [f"House number {i}." for i in range(50, 70)]
    rest = {f"House number {i}." for i in range(50)}
    assert sources["train"] | sources["validation"] == rest
    assert not sources["train"] & sources["validation"]
    assert len(sources["validation"]) == 5

    whole = read_pair_splits([train], test, table("other.tsv", range(3)))
    sizes = {name: len(rows) for name, rows in whole.items()}
    assert sizes == {"train": 47, "validation": 20, "test": 3}


def test_a_large_corpus_gives_2000_pairs_at_most(table):
    splits = read_pair_splits([table("pairs.tsv", range(24_000))])
    assert len(splits["validation"]) == len(splits["test"]) == 2_000


def test_cleaning_is_of_training_pairs_alone(table):
    train, test = table("train.tsv", range(30)), table("test.tsv", range(90, 99))
    splits = read_pair_splits([train], test=test, max_chars=15)
    # Two digits have one character too many.
    assert sum(len(splits[name]) for name in ("train", "validation")) == 10
    assert len(splits["test"]) == 9
