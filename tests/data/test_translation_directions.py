import pytest
from datasets import Dataset

from kftune.data import both_directions, tag_directions

GERMAN = Dataset.from_dict(
    {"source": ["a dog", "a cat"], "target": ["ein Hund", "eine Katze"], "n": [1, 2]}
)
FRENCH = Dataset.from_dict({"source": ["a dog"], "target": ["un chien"]})


def test_each_pair_stands_in_both_directions():
    directions = both_directions({("en", "de"): GERMAN, ("en", "fr"): FRENCH})
    assert {names: rows[:] for names, rows in directions.items()} == {
        ("en", "de"): {
            "source": ["a dog", "a cat"],
            "target": ["ein Hund", "eine Katze"],
        },
        ("de", "en"): {
            "source": ["ein Hund", "eine Katze"],
            "target": ["a dog", "a cat"],
        },
        ("en", "fr"): {"source": ["a dog"], "target": ["un chien"]},
        ("fr", "en"): {"source": ["un chien"], "target": ["a dog"]},
    }
    assert all(
        rows.column_names == ["source", "target"] for rows in directions.values()
    )


def test_a_tag_tells_the_language_of_the_target():
    tagged = tag_directions(both_directions({("en", "de"): GERMAN.select([0])}))
    assert tagged[:] == {
        "source": [">>de<< a dog", ">>en<< ein Hund"],
        "target": ["ein Hund", "a dog"],
    }
    assert tag_directions({("en", "fr"): FRENCH})["source"][0] == ">>fr<< a dog"


@pytest.mark.parametrize(
    "names",
    [
        [("en",)],
        [("en", "en")],
        [("en", "de", "fr")],
        [("en", "de"), ("de", "en")],
    ],
)
def test_keys_that_are_no_direction_are_refused(names):
    with pytest.raises(ValueError, match="each pair of them once"):
        both_directions(dict.fromkeys(names, GERMAN))


def test_columns_must_hold_text():
    rows = Dataset.from_dict({"source": ["a"], "target": [1]})
    for function in (both_directions, tag_directions):
        with pytest.raises(ValueError, match="Expected text in the columns"):
            function({("en", "de"): rows})
