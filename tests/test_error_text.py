import numpy as np

from kftune.error_text import did_you_mean, differences, first_few, shortened


def test_few_values_are_shown_and_many_are_counted():
    assert first_few(["a", 7]) == "'a', 7"
    assert first_few(range(9), most=3) == "0, 1, 2, … (9 in all)"
    assert first_few(np.array([3, 7]), show=str) == "3, 7"
    assert first_few([]) == "none"


def test_the_nearest_name_is_asked_for():
    names = ["val_loss", "val_accuracy"]
    assert did_you_mean("val_acc", names) == " Did you mean 'val_accuracy'?"
    assert did_you_mean("bleu", names) == ""


def test_a_long_value_is_cut():
    assert shortened("ab" * 9, most=4) == "'aba..."
    assert shortened([None, 2]) == "[None, 2]"


def test_all_that_differs_is_listed():
    expected = {"seed": 0, "freeze": "nothing", "rows": 9, "out": "a"}
    received = {"seed": 1, "rows": 9, "epochs": 3, "out": "b"}
    assert differences(expected, received, but_for=["out"]) == [
        "epochs: expected None, received 3",
        "freeze: expected 'nothing', received None",
        "seed: expected 0, received 1",
    ]
