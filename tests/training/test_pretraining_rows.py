import keras_hub
import numpy as np
import pytest
from datasets import Dataset

from kftune.data import PretrainingCorpus
from kftune.training.pretraining_rows import PretrainingRows, passages_alone

END = 99
CORPORA = [
    PretrainingCorpus("films", "films.txt", repeat=2.0),
    PretrainingCorpus("books", "books.txt", repeat=0.0),
]


def passages():
    return Dataset.from_dict(
        {
            "text": ["11", "222", "3", "44", "555"],
            "corpus": ["films", "films", "films", "books", "books"],
            "document": [0, 0, 1, 0, 0],
            "praise": [1.0, None, 0.0, None, None],
            "label_trust": [0.75] * 5,
            "validation": [False, False, True, False, False],
        }
    )


# The digit i is token i.
TOKENIZER = keras_hub.models.GPT2Tokenizer(
    {"<|endoftext|>": END, "98": 98, **{str(i): i for i in range(10)}}, merges=["9 8"]
)
ANSWERS = {
    "embedding": np.eye(2, 4, dtype="float16"),
    "praise": np.array([0.2, 0.9], "float32"),
}


def make(answers=None, **options):
    settings = {"context": 4, "passage_length": 4, "max_tokens": 4, **options}
    return PretrainingRows(passages(), CORPORA, TOKENIZER, answers, **settings)


def rows_of(data):
    found = []
    for i in range(len(data)):
        x = data[i][0]
        for ids, mask in zip(x["token_ids"], x["padding_mask"], strict=True):
            found.append(ids[mask.astype(bool)].tolist())
    return found


def test_passages_come_alone_as_often_as_their_corpus_says():
    np.testing.assert_array_equal(passages_alone(passages(), CORPORA), [0, 0, 1, 1])


def test_a_fraction_takes_the_same_passages_each_time():
    many = Dataset.from_dict(
        {"corpus": ["a"] * 4000, "validation": [False] * 4000, "text": ["x"] * 4000}
    )
    corpus = [PretrainingCorpus("a", "a.txt", repeat=1.15)]
    alone = passages_alone(many, corpus)
    _, times = np.unique(alone, return_counts=True)
    assert set(times) == {1, 2}
    assert 0.13 < np.mean(times == 2) < 0.17
    np.testing.assert_array_equal(alone, passages_alone(many, corpus))


def test_a_cycle_holds_passages_between_ends_and_packed_rows():
    rows = rows_of(make().cycle(0))
    alone = [row for row in rows if row[0] == END and row[-1] == END]
    assert sorted(alone) == [[END, 1, 1, END]] * 2 + [[END, 2, 2, END]] * 2
    streams = {
        "films": [END, 1, 1, 2, 2, 2, END],
        "books": [END, 4, 4, 5, 5, 5, END],
    }
    windows = [s[i : i + 4] for s in streams.values() for i in range(len(s) - 3)]
    packed = [row for row in rows if row not in alone]
    assert packed and all(row in windows for row in packed)


def test_held_out_passages_never_come_in_training():
    for number in range(5):
        assert not any(3 in row for row in rows_of(make().cycle(number)))
    held_out = make().held_out()
    assert list(held_out) == ["films"]
    assert rows_of(held_out["films"]) == [[END, 3, END]]


def test_targets_mix_the_label_with_the_teachers_answer():
    data = make(ANSWERS).cycle(0)
    seen = set()
    for i in range(len(data)):
        x, y, weights = data[i]
        for j, ids in enumerate(x["token_ids"]):
            taught = weights["sentence_embedding"][j]
            if not taught:
                assert weights["polarity"][j] == 0
                continue
            token = ids[1]
            seen.add(int(token))
            answer = ANSWERS["embedding"][token - 1]
            np.testing.assert_array_equal(y["sentence_embedding"][j], answer)
            # Only passage 1 has a label: 0.75 of it, 0.25 of the teacher's 0.2.
            assert weights["polarity"][j] == (token == 1)
            assert y["polarity"][j] == pytest.approx(0.8 if token == 1 else 0.0)
    assert seen == {1, 2}


def test_answers_for_other_passages_are_refused():
    answers = {name: array[:1] for name, array in ANSWERS.items()}
    with pytest.raises(ValueError, match="for 2 passages. Received: 1"):
        make(answers)
