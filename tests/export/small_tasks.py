"""Small tasks to export, and texts that are hard to serve."""

import keras
import keras_hub
import numpy as np
import pytest
from toy_pairs import save_tiny_preset
from toy_sentences import toy_sentences

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


@pytest.fixture(scope="session")
def hard_texts():
    return HARD_TEXTS


@pytest.fixture(scope="session")
def sentences():
    """Function that gives so many sentences of the toy language."""

    def make(count, seed=5):
        return [source for source, _ in toy_sentences(count, seed)]

    return make


@pytest.fixture(scope="session")
def translator_folder(tmp_path_factory):
    """Preset folder of a random model that is told the language of the target."""
    folder = tmp_path_factory.mktemp("translator")
    save_tiny_preset(folder, languages=["de", "en"])
    return folder


@pytest.fixture
def translator(translator_folder):
    task = kftune.models.TransformerSeq2SeqLM.from_preset(translator_folder)
    task.compile(sampler=kftune.decoding.BeamSearch(3), jit_compile=False)
    return task


@pytest.fixture(scope="session")
def gpt2_tokenizer(tmp_path_factory, sentences):
    folder = tmp_path_factory.mktemp("bpe")
    kftune.models.train_gpt2_tokenizer(sentences(400), folder, vocabulary_size=400)
    return kftune.models.load_gpt2_tokenizer(folder)


def random_gpt2(tokenizer):
    keras.utils.set_random_seed(0)
    backbone = kftune.models.GPT2Backbone(
        tokenizer.vocabulary_size(), 2, 2, 16, 32, max_sequence_length=32, dropout=0
    )
    # Larger weights than the usual ones, so that the tokens differ.
    rng = np.random.default_rng(0)
    for weight in backbone.weights:
        weight.assign(weight + rng.normal(0, 0.3, weight.shape))
    return backbone


@pytest.fixture
def language_model(gpt2_tokenizer):
    preprocessor = kftune.models.GPT2CausalLMPreprocessor(gpt2_tokenizer, 24)
    task = kftune.models.GPT2CausalLM(random_gpt2(gpt2_tokenizer), preprocessor)
    task.compile(sampler="greedy", jit_compile=False)
    return task


@pytest.fixture
def classifier(gpt2_tokenizer):
    return kftune.models.GPT2TextClassifier(
        random_gpt2(gpt2_tokenizer),
        3,
        kftune.models.GPT2TextClassifierPreprocessor(gpt2_tokenizer, 24),
        label_names=["bad", "fair", "good"],
    )


@pytest.fixture
def bert_classifier():
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
