"""A tiny classifier of texts, the same in every process."""

import keras_hub
import numpy as np

from kftune.models import TextClassifierPreprocessor, attach_head

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "film", "a", "slow"]
TEXTS = ["good film", "a slow film", "slow", "a good good film"]
LABELS = np.array([0, 1, 2, 0])


def make_task(words=WORDS, num_classes=3, seed=0, width=8):
    """BERT of two layers with drawn weights."""
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=len(words),
        num_layers=2,
        num_heads=2,
        hidden_dim=width,
        intermediate_dim=16,
        max_sequence_length=12,
        dropout=0,
    )
    pack = TextClassifierPreprocessor(keras_hub.models.BertTokenizer(words), 12)
    task = attach_head(backbone, num_classes, pack, dropout=0)
    rng = np.random.default_rng(seed)
    for weight in backbone.weights:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    return task


def draw(task, seed=1):
    """Draws all that is trained, as a training would change it."""
    rng = np.random.default_rng(seed)
    for weight in task.trainable_weights:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    return task
