import numpy as np

from kftune.evaluation import find_doubtful_labels

GOOD = ["a fine moving film", "fine acting and moving", "a fine story", "so moving"]
BAD = ["a dull tired film", "dull acting and tired", "a dull story", "so tired"]
TEXTS = 5 * GOOD + 5 * BAD
LABELS = [1] * 20 + [0] * 20


def test_flipped_labels_are_found():
    labels = np.array(LABELS)
    labels[[0, 39]] = [0, 1]
    doubtful = find_doubtful_labels(TEXTS, labels)
    assert sorted(doubtful.rows) == [0, 39]
    suggested = dict(zip(doubtful.rows, doubtful.suggested, strict=True))
    assert suggested == {0: 1, 39: 0}
    assert list(doubtful.labels) == [1 - suggested[row] for row in doubtful.rows]
    assert doubtful.share == 2 / 40


def test_right_labels_are_not_doubted():
    doubtful = find_doubtful_labels(TEXTS, LABELS)
    assert len(doubtful.rows) == 0
    assert doubtful.share == 0


def test_the_surest_come_first():
    texts = [*TEXTS, "a fine moving story, so fine", "a fine dull film"]
    doubtful = find_doubtful_labels(texts, [*LABELS, 0, 0])
    assert doubtful.rows[0] == 40


def test_classes_keep_their_numbers():
    labels = np.where(np.array(LABELS) == 1, 7, 3)
    labels[0] = 3
    doubtful = find_doubtful_labels(TEXTS, labels)
    assert list(
        zip(doubtful.rows, doubtful.labels, doubtful.suggested, strict=True)
    ) == [(0, 3, 7)]


def test_a_rare_class_leaves_the_others_to_be_checked():
    labels = np.array([*LABELS, 2, 2])
    labels[[0, 39]] = [0, 1]
    doubtful = find_doubtful_labels([*TEXTS, "so rare", "a rarity"], labels)
    assert sorted(doubtful.rows) == [0, 39]
    assert doubtful.share == 2 / 42
    assert doubtful.unchecked.tolist() == [2]


def test_texts_without_words_are_not_looked_at():
    doubtful = find_doubtful_labels([*TEXTS, "👍", "?"], [*LABELS, 0, 1])
    assert len(doubtful.rows) == 0
    doubtful = find_doubtful_labels(["👍", "👎"] * 10, [1, 0] * 10)
    assert doubtful.share == 0
    assert doubtful.unchecked.tolist() == [0, 1]


def test_one_class_leaves_nothing_to_say():
    assert find_doubtful_labels(GOOD, [1] * 4).share == 0
