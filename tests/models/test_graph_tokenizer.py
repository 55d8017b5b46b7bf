import keras_hub
import pytest
import tensorflow as tf

from kftune.models.fast_tokenizers import fast_tokenizer
from kftune.models.graph_tokenizer import GraphTokenizer

pytestmark = pytest.mark.backend


def graph(tokenize, tokenizer, texts):
    data = tf.data.Dataset.from_tensors(texts)
    (rows,) = data.map(lambda batch: tokenize(tokenizer, batch))
    return rows.to_list()


def test_byte_pairs_have_the_ids_of_the_library(gpt2_tokenizer, monkeypatch):
    def refuse(texts):
        raise AssertionError("KerasHub's own tokenizer was asked, which differs")

    texts = ["so\n\nwhy not", "The film\x00 is good", "\n\n x"]
    expected = [row.ids for row in fast_tokenizer(gpt2_tokenizer).encode_batch(texts)]
    monkeypatch.setattr(gpt2_tokenizer, "tokenize", refuse)
    assert graph(GraphTokenizer(), gpt2_tokenizer, texts) == expected


def test_a_new_vocabulary_counts(gpt2_tokenizer):
    tokenize, tokenizer = GraphTokenizer(), keras_hub.models.GPT2Tokenizer()
    for a in (1, 2):
        vocabulary = {"<|endoftext|>": 0, "a": a, "b": 5, "ab": 6}
        tokenizer.set_vocabulary_and_merges(vocabulary, ["a b"])
        assert graph(tokenize, tokenizer, ["ba"]) == [[5, a]]


@pytest.mark.long
def test_other_models_have_keras_hubs_tokenizer():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "film"]
    tokenizer = keras_hub.models.BertTokenizer(words)
    assert graph(GraphTokenizer(), tokenizer, ["film good", ""]) == [[6, 5], []]
