"""Tasks on pretrained text models: heads, preprocessing, presets."""

from kftune.models.gpt2.gpt2_text_classifier_preprocessor import (
    GPT2TextClassifierPreprocessor,
)
from kftune.models.heads import DenseHead
from kftune.models.text_classifier_preprocessor import TextClassifierPreprocessor
from kftune.models.trainable_guard import TrainableGuard

__all__ = [
    "DenseHead",
    "GPT2TextClassifierPreprocessor",
    "TextClassifierPreprocessor",
    "TrainableGuard",
]
