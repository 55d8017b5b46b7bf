import pytest

from kftune.evaluation import copied_share, distinct_ngrams, score_variety

SOURCE = "It is a fine film that takes its time, and so does its director."


def test_distinct_words_and_pairs():
    texts = ["A fine film", "a fine, fine day", "", "so"]
    # a fine film a fine fine day so
    assert distinct_ngrams(texts, 1) == 5 / 8
    # a-fine fine-film a-fine fine-fine fine-day
    assert distinct_ngrams(texts, 2) == 4 / 5
    assert distinct_ngrams(texts, 5) == 0


def test_no_ngram_spans_two_texts():
    assert distinct_ngrams(["a b", "c d"], 2) == 1
    assert copied_share(["it is", "a fine film"], [SOURCE], size=4) == 0


@pytest.mark.parametrize(
    ("text", "share"),
    [
        (SOURCE, 1.0),
        (SOURCE.upper(), 1.0),
        ("No: it is a fine film, really", 5 / 7),
        ("a fine film that takes its time its director", 7 / 9),
        ("fine it is a film", 0.0),
        ("", 0.0),
    ],
)
def test_copied_words_are_those_of_long_enough_rows(text, share):
    assert copied_share([text], [SOURCE], size=4) == pytest.approx(share)


def test_shares_are_of_the_words_of_all_texts():
    texts = [SOURCE, "something else"]
    assert copied_share(texts, ["other", SOURCE], size=8) == pytest.approx(14 / 16)


def test_variety_is_both_together():
    texts = [SOURCE, "a fine film", "a fine day"]
    assert score_variety(texts, [SOURCE]) == {
        "distinct_1": distinct_ngrams(texts, 1),
        "distinct_2": distinct_ngrams(texts, 2),
        "distinct_3": distinct_ngrams(texts, 3),
        "copied_share": copied_share(texts, [SOURCE], size=8),
    }
