import math

import pytest

from kftune.evaluation.fact_share import FactShare, fact_share


@pytest.mark.parametrize(
    ("source", "summary", "found", "facts"),
    [
        ("We train BERT on 1,000 films.", "They train BERT on 2000 Films.", 2, 3),
        ("It takes 1,000 steps.", "It takes 1000 steps, 0.5 or 1,000.", 2, 3),
        ("A ResNet-18 on CIFAR-10.", "We use ResNet18. ResNet-18 is used.", 2, 3),
        ("the transformer", "Our Transformer. I agree. Nobody knows.", 1, 1),
        ("GANs are hard", "GANs fail. GAN-like too.", 1, 2),  # begin, but acronyms
    ],
)
def test_facts_counted_by_hand(source, summary, found, facts):
    assert fact_share([source], [summary]) == FactShare(found / facts, facts)


def test_all_summaries_count_together():
    scores = fact_share(["On 3 bees.", "On Mars."], ["Of 3 or 4.", "Like Mars."])
    assert scores == FactShare(2 / 3, 3)


def test_without_facts_there_is_no_share():
    scores = fact_share(["On 3 bees."], ["Of some bees."])
    assert math.isnan(scores.share) and scores.facts == 0


def test_each_source_has_a_summary():
    with pytest.raises(ValueError, match="Received: 2 sources, 1 summaries"):
        fact_share(["a", "b"], ["a"])
