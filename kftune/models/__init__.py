"""Tasks on pretrained text models: heads, preprocessing, presets."""

from kftune.models.attach_head import attach_head
from kftune.models.converters.save_to_hugging_face import save_to_hugging_face
from kftune.models.decoding_settings import DecodingSettings
from kftune.models.fast_tokenizers import fast_tokenizer
from kftune.models.gpt2.gpt2_backbone import GPT2Backbone
from kftune.models.gpt2.gpt2_causal_lm import GPT2CausalLM
from kftune.models.gpt2.gpt2_causal_lm_preprocessor import GPT2CausalLMPreprocessor
from kftune.models.gpt2.gpt2_pretrainer import compile_pretrainer, gpt2_pretrainer
from kftune.models.gpt2.gpt2_text_classifier import GPT2TextClassifier
from kftune.models.gpt2.gpt2_text_classifier_preprocessor import (
    GPT2TextClassifierPreprocessor,
)
from kftune.models.gpt2.gpt2_tokenizer_trainer import (
    load_gpt2_tokenizer,
    train_gpt2_tokenizer,
)
from kftune.models.heads import DenseHead
from kftune.models.missing_labels import mask_missing_labels
from kftune.models.pretrained.float16_preset import save_float16_preset
from kftune.models.pretrained.load_task import load_task
from kftune.models.pretrained.preset_catalog import presets
from kftune.models.pretrained.preset_folders import load_backbone, load_preprocessor
from kftune.models.pretrained.preset_tokenizers import load_tokenizer
from kftune.models.single_task import single_task
from kftune.models.text_classifier import TextClassifier
from kftune.models.text_classifier_preprocessor import TextClassifierPreprocessor
from kftune.models.tokenizers.m2m100_tokenizer import M2M100Tokenizer
from kftune.models.tokenizers.marian_tokenizer import MarianTokenizer
from kftune.models.tokenizers.marian_tokenizer_trainer import train_marian_tokenizer
from kftune.models.trainable_guard import TrainableGuard
from kftune.models.transformer.longer_positions import with_positions
from kftune.models.transformer.new_target import with_new_target
from kftune.models.transformer.target_language import into_language
from kftune.models.transformer.transformer_backbone import TransformerBackbone
from kftune.models.transformer.transformer_seq2seq_lm import TransformerSeq2SeqLM
from kftune.models.transformer.transformer_seq2seq_lm_preprocessor import (
    TransformerSeq2SeqLMPreprocessor,
)

__all__ = [
    "DecodingSettings",
    "DenseHead",
    "GPT2Backbone",
    "GPT2CausalLM",
    "GPT2CausalLMPreprocessor",
    "GPT2TextClassifier",
    "GPT2TextClassifierPreprocessor",
    "M2M100Tokenizer",
    "MarianTokenizer",
    "TextClassifier",
    "TextClassifierPreprocessor",
    "TrainableGuard",
    "TransformerBackbone",
    "TransformerSeq2SeqLM",
    "TransformerSeq2SeqLMPreprocessor",
    "attach_head",
    "compile_pretrainer",
    "fast_tokenizer",
    "gpt2_pretrainer",
    "into_language",
    "load_backbone",
    "load_gpt2_tokenizer",
    "load_preprocessor",
    "load_task",
    "load_tokenizer",
    "mask_missing_labels",
    "presets",
    "save_float16_preset",
    "save_to_hugging_face",
    "single_task",
    "train_gpt2_tokenizer",
    "train_marian_tokenizer",
    "with_new_target",
    "with_positions",
]
