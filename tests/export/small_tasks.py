"""Small tasks to export, and texts that are hard to serve."""

import json

import keras
import keras_hub
import numpy as np
from toy_pairs import save_tiny_preset
from toy_sentences import toy_sentences
from translation_files import write_m2m100_files

import kftune

HARD_TEXTS = [
    "",
    " ",
    "\n\t ",
    "😀👩‍👩‍👧 emoji",
    "שלום עולם, مرحبا",
    "a\x00b\x00",
    "x" * 10_000,
    "lorem ipsum " * 800,
    "e\u0301 combining, ﬁ ligature…",
]


def sentences(count, seed=5):
    """So many sentences of the toy language."""
    return [source for source, _ in toy_sentences(count, seed)]


def make_translator(folder):
    """A random model that is told the language of the target."""
    save_tiny_preset(folder, languages=["de", "en"])
    task = kftune.models.TransformerSeq2SeqLM.from_preset(folder)
    task.compile(sampler=kftune.decoding.BeamSearch(3), jit_compile=False)
    return task


def make_m2m100(folder):
    """A random model whose targets begin with their language."""
    write_m2m100_files(folder)
    vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
    codes = {code: f"__{code}__" for code in ("de", "en", "fr")}
    ids = {token: len(vocabulary) + i for i, token in enumerate(codes.values())}
    tokenizer = kftune.models.M2M100Tokenizer(
        (folder / "sentencepiece.bpe.model").read_bytes(),
        {**vocabulary, **ids},
        codes,
        "en",
        "de",
    )
    return _random_seq2seq(tokenizer)


def make_bart(folder):
    """A random encoder-decoder on byte pairs."""
    vocabulary_file, merges_file = (
        folder / name for name in ("vocabulary.json", "merges.txt")
    )
    make_gpt2_tokenizer(folder)
    tokens = json.loads(vocabulary_file.read_text("utf-8"))
    for token in ("<s>", "<pad>", "</s>", "<mask>"):
        tokens[token] = len(tokens)
    return _random_seq2seq(keras_hub.models.BartTokenizer(tokens, str(merges_file)))


def _random_seq2seq(tokenizer):
    keras.utils.set_random_seed(0)
    backbone = kftune.models.TransformerBackbone(
        tokenizer.vocabulary_size(), 1, 2, 16, 32, 0.0, 64
    )
    rng = np.random.default_rng(0)
    for weight in backbone.weights:
        weight.assign(weight + rng.normal(0, 0.3, weight.shape))
    preprocessor = kftune.models.TransformerSeq2SeqLMPreprocessor(tokenizer, 32, 16)
    task = kftune.models.TransformerSeq2SeqLM(backbone, preprocessor)
    task.compile(sampler=kftune.decoding.BeamSearch(2), jit_compile=False)
    return task


def make_language_model(folder):
    """A random GPT-2 with a small vocabulary."""
    tokenizer = make_gpt2_tokenizer(folder)
    preprocessor = kftune.models.GPT2CausalLMPreprocessor(tokenizer, 24)
    task = kftune.models.GPT2CausalLM(random_gpt2(tokenizer), preprocessor)
    task.compile(sampler="greedy", jit_compile=False)
    return task


def make_classifier(folder):
    """A random GPT-2 with three classes."""
    tokenizer = make_gpt2_tokenizer(folder)
    return kftune.models.GPT2TextClassifier(
        random_gpt2(tokenizer),
        3,
        kftune.models.GPT2TextClassifierPreprocessor(tokenizer, 24),
        label_names=["bad", "fair", "good"],
    )


def make_bert_classifier():
    """A random BERT with a head of each kind."""
    keras.utils.set_random_seed(0)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "film", "##s", "a"]
    tokenizer = keras_hub.models.BertTokenizer(words)
    backbone = keras_hub.models.BertBackbone(
        len(words), 2, 2, 16, 32, dropout=0, max_sequence_length=32
    )
    heads = {
        "stars": kftune.models.DenseHead(2, problem_type="regression"),
        "tags": kftune.models.DenseHead(
            3, problem_type="multi_label_classification", label_names=["x", "y", "z"]
        ),
        "mood": kftune.models.DenseHead(2),
    }
    preprocessor = kftune.models.TextClassifierPreprocessor(tokenizer, 16)
    return kftune.models.TextClassifier(backbone, heads, preprocessor)


def make_gpt2_tokenizer(folder):
    """Byte pairs of the toy language."""
    kftune.models.train_gpt2_tokenizer(sentences(400), folder, vocabulary_size=400)
    return kftune.models.load_gpt2_tokenizer(folder)


def random_gpt2(tokenizer):
    """A GPT-2 whose weights are larger than usual, so that its tokens differ."""
    keras.utils.set_random_seed(0)
    backbone = kftune.models.GPT2Backbone(
        tokenizer.vocabulary_size(), 2, 2, 16, 32, max_sequence_length=32, dropout=0
    )
    rng = np.random.default_rng(0)
    for weight in backbone.weights:
        weight.assign(weight + rng.normal(0, 0.3, weight.shape))
    return backbone
