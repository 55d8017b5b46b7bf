import numpy as np
import pytest

from kftune.models import (
    GPT2TextClassifierPreprocessor,
    attach_head,
    load_gpt2_tokenizer,
    train_gpt2_tokenizer,
)
from kftune.training import split_batches

TEXTS = [f"film {i} is{' very' * (i % 5)} fine" for i in range(20)]


@pytest.fixture
def task(make_backbone, tmp_path):
    folder = train_gpt2_tokenizer(TEXTS, tmp_path, vocabulary_size=280)
    backbone = make_backbone("GPT2", vocabulary_size=280)
    preprocessor = GPT2TextClassifierPreprocessor(load_gpt2_tokenizer(folder))
    return attach_head(backbone, 2, preprocessor)


def test_the_training_split_is_shuffled_and_the_others_keep_their_order(task):
    rows = {"text": TEXTS, "praise": np.arange(20)}
    options = {"label": "praise", "batch_size": 4, "seed": 3}
    batches = split_batches(task, {"train": rows, "test": rows}, **options)
    expected = task.preprocessor.tokenize_rows(TEXTS)
    orders = {}
    for name, dataset in batches.items():
        assert dataset.seed == 3
        orders[name] = np.concatenate([y for _, y in dataset])
        for x, y in dataset:
            for ids, mask, i in zip(x["token_ids"], x["padding_mask"], y, strict=True):
                assert ids[mask].tolist() == expected[i].tolist()
    assert sorted(orders["train"]) == sorted(orders["test"]) == list(range(20))
    restored = batches["test"].restore_order(orders["test"])
    assert restored.tolist() == list(range(20))
    with pytest.raises(ValueError, match="shuffle=True"):
        batches["train"].restore_order(orders["train"])
