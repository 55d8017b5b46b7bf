import numpy as np
import pytest

from kftune.models import mask_missing_labels


def test_missing_labels_weigh_nothing():
    y, weights = mask_missing_labels(
        {
            "topic": [2, -1, 0],
            "stars": [4.5, float("nan"), 0.0],
            "tags": [[1, 0], [1, -1], [0, 0]],
        }
    )
    assert y["topic"].tolist() == [2, 0, 0]
    assert y["topic"].dtype.kind == "i"
    assert y["stars"].tolist() == [4.5, 0, 0]
    assert y["stars"].dtype == np.float32
    assert y["tags"].tolist() == [[1, 0], [1, 0], [0, 0]]
    assert {name: w.tolist() for name, w in weights.items()} == {
        "topic": [1, 0, 1],
        "stars": [1, 0, 1],
        "tags": [1, 0, 1],
    }


def test_unequal_lengths_are_named():
    with pytest.raises(ValueError, match=r"'a': 2, 'b': 3"):
        mask_missing_labels({"a": [0, 1], "b": [0, 1, 1]})
