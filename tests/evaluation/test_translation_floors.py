import math
import random
from collections import Counter

import pytest
import sacrebleu

from kftune.evaluation import score_floors, translation_memory

TRAIN = {
    "source": ["the red car", "A dog barks.", "two red cars", "it rains"],
    "target": ["das rote Auto", "Ein Hund bellt.", "zwei rote Autos", "es regnet"],
}


@pytest.mark.parametrize(
    ("source", "nearest"),
    [("Red cars", 2), ("dogs bark", 1), ("IT RAINS", 3), ("日本", 0), ("", 0)],
)
def test_the_nearest_source_is_found(source, nearest):
    expected = [TRAIN["target"][nearest]]
    assert translation_memory(TRAIN["source"], TRAIN["target"], [source]) == expected


def test_of_equals_the_first_one_counts():
    assert translation_memory(["a b c", "ab cd", "ab cd"], "xyz", ["ab cd"]) == ["y"]


def pieces(text):
    """Counts of 2 to 4 characters in words with a blank on both sides."""
    words = [f" {word} " for word in text.lower().split()]
    return Counter(
        word[i : i + n]
        for word in words
        for n in (2, 3, 4)
        for i in range(len(word) - n + 1)
    )


def cosine(a, b):
    norms = [math.sqrt(sum(v * v for v in row.values())) for row in (a, b)]
    return sum(v * b.get(k, 0) for k, v in a.items()) / math.prod(norms)


def test_many_sources_as_a_formula_has_it():
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefgh", k=rng.randint(3, 7))) for _ in range(40)]
    memory, sources = (
        [" ".join(rng.choices(words, k=4)) for _ in range(count)] for count in (30, 600)
    )
    counts = [pieces(text) for text in memory]
    found = Counter(piece for row in counts for piece in row)
    idf = {piece: 1 + math.log(31 / (1 + n)) for piece, n in found.items()}
    rows = [{k: v * idf[k] for k, v in row.items()} for row in counts]
    targets = [*range(30)]
    received = translation_memory(memory, targets, sources)
    assert len(received) == len(sources)
    for source, number in zip(sources, received, strict=True):
        asked = {k: v * idf[k] for k, v in pieces(source).items() if k in idf}
        similar = [cosine(asked, row) for row in rows]
        assert similar[number] == pytest.approx(max(similar), rel=1e-5)


def test_floors_are_scores_of_what_comes_out():
    test = {"source": ["the dog barks", "red"], "target": ["der Hund bellt", "rot"]}
    floors = score_floors(TRAIN, test)
    outputs = {
        "copy_source": test["source"],
        "translation_memory": ["Ein Hund bellt.", "das rote Auto"],
    }
    for name, texts in outputs.items():
        bleu = sacrebleu.corpus_bleu(texts, [test["target"]]).score
        chrf = sacrebleu.corpus_chrf(texts, [test["target"]]).score
        assert floors[name] == pytest.approx({"bleu": bleu, "chrf": chrf})
    assert floors.keys() == outputs.keys()


def test_sources_without_targets_are_refused():
    with pytest.raises(ValueError, match="2 sources and 1 targets"):
        translation_memory(["a", "b"], ["a"], ["a"])
