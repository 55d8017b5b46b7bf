import numpy as np

from kftune.data.next_token_batches import NextTokenBatches

ROWS = [[5, 6, 7], [8, 9]]


def test_every_token_predicts_the_one_behind_it():
    data = NextTokenBatches(ROWS, batch_size=2, boundaries=[4], shuffle=False)
    _, y, weights = data[0]
    np.testing.assert_array_equal(y["next_token"], [[6, 7, 0, 0], [9, 0, 0, 0]])
    np.testing.assert_array_equal(weights["next_token"], [[1, 1, 0, 0], [1, 0, 0, 0]])


def test_other_labels_and_weights_stay_with_their_rows():
    labels = {"polarity": np.array([[0.0], [1.0]], "float32")}
    weights = {"polarity": np.array([1.0, 0.5], "float32")}
    data = NextTokenBatches(ROWS, labels, weights, batch_size=1, boundaries=[4])
    for i in range(2):
        x, y, w = data[i]
        first = x["token_ids"][0, 0] == 8
        assert y["polarity"][0, 0] == float(first)
        assert w["polarity"][0] == (0.5 if first else 1.0)
        assert set(w) == {"next_token", "polarity"}
