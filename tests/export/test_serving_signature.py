import numpy as np
import pytest

from kftune.export.serving_signature import ServingSignature, typed_array

GENERATE = ServingSignature(
    {
        "text": "DT_STRING",
        "max_new_tokens": "DT_INT32",
        "temperature": "DT_FLOAT",
        "seed": "DT_INT64",
        "target_language": "DT_STRING",
    },
    {"completion": "DT_STRING"},
)
OPTIONS = {
    "max_new_tokens": 8,
    "temperature": 1,
    "seed": [2**40, 1],
    "target_language": "de",
}


def test_values_stand_in_each_row_with_the_type_of_the_signature():
    columns = GENERATE.columns(["a", "é"], OPTIONS)
    expected = {
        "text": np.array(["a", "é"], object),
        "max_new_tokens": np.array([8, 8], np.int32),
        "temperature": np.array([1, 1], np.float32),
        "seed": np.array([2**40, 1], np.int64),
        "target_language": np.array(["de", "de"], object),
    }
    assert columns.keys() == expected.keys()
    for name, column in expected.items():
        np.testing.assert_array_equal(columns[name], column, strict=True)


def test_all_that_does_not_fit_is_told_at_once():
    options = {
        "max_new_tokens": 2.5,
        "temperature": "hot",
        "seed": [1, 2, 3],
        "top_k": 5,
        "text": "b",
    }
    with pytest.raises(ValueError) as raised:
        GENERATE.columns(["a", "\ud800"], options)
    message = str(raised.value)
    for part in (
        "no options ['text', 'top_k'] (there are: 'max_new_tokens', ",
        "values for ['target_language'] too",
        "max_new_tokens: expected numbers of type int32. Received: 2.5",
        "temperature: expected numbers of type float32. Received: 'hot'",
        "seed: expected one value, or 2, one for each text. Received: shape (3,)",
        r"text: expected strings that UTF-8 can write. Received: '\ud800'",
    ):
        assert part in message


@pytest.mark.parametrize("value", [1e39, float("nan"), float("-inf")])
def test_numbers_that_json_cannot_write_are_refused(value):
    with pytest.raises(ValueError, match="temperature: expected finite numbers"):
        GENERATE.columns(["a", "b"], {**OPTIONS, "temperature": value})


@pytest.mark.parametrize(
    ("values", "type_name"),
    [
        ([1, None], "DT_FLOAT"),
        ([[1], [1, 2]], "DT_FLOAT"),
        ([True], "DT_FLOAT"),
        ("1", "DT_INT32"),
        ([2**31], "DT_INT32"),
        ([2**63], "DT_INT64"),
        ([2**70], "DT_INT64"),
        ([1.0], "DT_INT64"),
        ([1], "DT_BOOL"),
        ([b"bytes"], "DT_STRING"),
        (["a", ["b"]], "DT_STRING"),
        ([["a", "b"], ["c"]], "DT_STRING"),
        ({"b64": "YQ=="}, "DT_STRING"),
    ],
)
def test_values_of_another_type_are_refused(values, type_name):
    with pytest.raises(ValueError, match="expected (numbers of type|strings)"):
        typed_array(values, type_name)


def test_nested_lists_keep_their_shape():
    values = [[0.1, 2], [float("inf"), -4]]
    expected = np.array(values, np.float32)
    np.testing.assert_array_equal(typed_array(values, "DT_FLOAT"), expected)
    names = typed_array([["a", "bc"], ["", "d"]], "DT_STRING")
    assert names.shape == (2, 2)
    assert names.tolist() == [["a", "bc"], ["", "d"]]
    assert typed_array([], "DT_INT32").shape == (0,)
    assert typed_array([True], "DT_BOOL").dtype == bool
    with pytest.raises(ValueError, match="expected one of.*Received: DT_COMPLEX64"):
        typed_array([1], "DT_COMPLEX64")
