import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from kftune.models import TextClassifierPreprocessor, token_rows

pytestmark = pytest.mark.backend

# KerasHub's own tokenizer cuts these in other ways, or takes long.
RARE_TEXTS = ["so\n\nwhy not", "The film\x00 is good", "film" * 3000]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "good", "film", "bad"]


@pytest.fixture
def bert_tokenizer():
    return keras_hub.models.BertTokenizer(WORDS, lowercase=True)


def test_start_end_and_padding(bert_tokenizer):
    pack = TextClassifierPreprocessor(bert_tokenizer, sequence_length=6)
    packed = pack(["A good film", "bad"])
    assert packed["token_ids"].tolist() == [[2, 5, 6, 7, 3, 0], [2, 8, 3, 0, 0, 0]]
    assert packed["padding_mask"].tolist() == [
        [True] * 5 + [False],
        [True] * 3 + [0] * 3,
    ]
    assert packed["token_ids"].dtype == np.int32


@pytest.mark.parametrize(
    ("truncate", "kept"), [("right", [2, 5, 6, 3]), ("left", [2, 7, 8, 3])]
)
def test_truncation_keeps_the_end_token(bert_tokenizer, truncate, kept):
    pack = TextClassifierPreprocessor(
        bert_tokenizer, sequence_length=4, truncate=truncate
    )
    text = "a good film bad"
    assert pack([text])["token_ids"].tolist() == [kept]
    assert pack.tokenize_rows([text])[0].tolist() == kept
    assert graph(pack, [text])["token_ids"].tolist() == [kept]
    assert pack.whole_lengths([text, "good", ""]) == [6, 3, 2]


def graph(preprocessor, texts, batched=True):
    """Calls a preprocessor in a `tf.data` pipeline."""
    dataset = tf.data.Dataset.from_tensor_slices(texts)
    dataset = dataset.batch(len(texts)) if batched else dataset
    return next(dataset.map(preprocessor).as_numpy_iterator())


@pytest.mark.parametrize("start", [True, False])
@pytest.mark.parametrize("end", [True, False])
def test_eager_graph_and_rows_agree(bert_tokenizer, start, end):
    pack = TextClassifierPreprocessor(
        bert_tokenizer, sequence_length=5, add_start_token=start, add_end_token=end
    )
    texts = ["A GOOD film", "", "bad bad bad bad bad bad bad"]
    eager, traced = pack(texts), graph(pack, texts)
    np.testing.assert_array_equal(eager["token_ids"], traced["token_ids"])
    np.testing.assert_array_equal(eager["padding_mask"], traced["padding_mask"])
    for row, ids, mask in zip(pack.tokenize_rows(texts), *eager.values(), strict=True):
        assert row.tolist() == ids[mask].tolist()


def test_byte_pairs_of_rare_text_are_those_of_the_graph(gpt2_tokenizer):
    pack = TextClassifierPreprocessor(gpt2_tokenizer, sequence_length=500)
    eager, traced = pack(RARE_TEXTS), graph(pack, RARE_TEXTS)
    np.testing.assert_array_equal(eager["token_ids"], traced["token_ids"])
    np.testing.assert_array_equal(eager["padding_mask"], traced["padding_mask"])
    assert eager["padding_mask"].all(1).tolist() == [False, False, True]


def test_one_string_gives_one_row(bert_tokenizer):
    pack = TextClassifierPreprocessor(bert_tokenizer, sequence_length=4)
    expected = [2, 6, 3, 0]
    assert pack("good")["token_ids"].tolist() == expected
    assert graph(pack, ["good"], batched=False)["token_ids"].tolist() == expected


def test_labels_and_weights_pass_through(bert_tokenizer):
    pack = TextClassifierPreprocessor(bert_tokenizer, sequence_length=4)
    x, y, sample_weight = pack(["good"], [1], [0.5])
    assert x["token_ids"].shape == (1, 4)
    assert (y, sample_weight) == ([1], [0.5])


@pytest.mark.parametrize(
    "texts",
    [
        ("good", "bad"),
        np.array(["good", "bad"]),
        np.array(["good", "bad"], dtype=object),
        [b"good", b"bad"],
        tf.constant(["good", "bad"]),
    ],
    ids=["tuple", "array", "objects", "bytes", "tensor"],
)
def test_containers_of_strings(bert_tokenizer, texts):
    pack = TextClassifierPreprocessor(bert_tokenizer, sequence_length=4)
    rows = [row.tolist() for row in pack.tokenize_rows(texts)]
    assert rows == [[2, 6, 3], [2, 8, 3]]


@pytest.mark.parametrize("model", ["T5", "Bart"])
def test_other_tokenizers(model, tmp_path, gpt2_tokenizer):
    if model == "T5":
        tokenizer, options = t5_tokenizer(tmp_path), {"add_start_token": False}
    else:
        vocabulary = dict(gpt2_tokenizer.vocabulary)
        vocabulary |= {"<s>": 400, "<pad>": 401, "</s>": 402}
        tokenizer = keras_hub.models.BartTokenizer(vocabulary, gpt2_tokenizer.merges)
        options = {}
    pack = TextClassifierPreprocessor(tokenizer, sequence_length=30, **options)
    texts = ["the film is good", "bad"]
    np.testing.assert_array_equal(
        pack(texts)["token_ids"], graph(pack, texts)["token_ids"]
    )
    for row in pack.tokenize_rows(texts):
        assert row[-1] == tokenizer.end_token_id
        assert (row[0] == getattr(tokenizer, "start_token_id", None)) == (not options)


def t5_tokenizer(folder):
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the film is good and bad"] * 9),
        model_prefix=str(folder / "t5"),
        vocab_size=20,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return keras_hub.models.T5Tokenizer(str(folder / "t5.model"))


def test_a_missing_start_token_says_what_to_pass():
    tokenizer = keras_hub.tokenizers.WordPieceTokenizer(WORDS)
    pack = TextClassifierPreprocessor(tokenizer, sequence_length=9)
    with pytest.raises(ValueError, match="WordPieceTokenizer.*add_start_token=False"):
        pack(["good"])


def test_config_round_trip(bert_tokenizer):
    pack = TextClassifierPreprocessor(
        bert_tokenizer, 9, add_start_token=False, truncate="left"
    )
    config = keras.saving.serialize_keras_object(pack)
    again = keras.saving.deserialize_keras_object(config)
    assert again.add_start_token is False
    assert again.add_end_token is True
    assert (again.sequence_length, again.truncate) == (9, "left")


def test_values_that_are_not_text_are_named(bert_tokenizer):
    pack = TextClassifierPreprocessor(bert_tokenizer, sequence_length=9)
    with pytest.raises(TypeError, match="nan at index 1, None at index 2"):
        pack.tokenize_rows(["good", float("nan"), None])
    with pytest.raises(TypeError, match="int: 3"):
        pack(3)


def test_without_a_length_it_says_so(bert_tokenizer):
    with pytest.raises(ValueError, match="Received None"):
        TextClassifierPreprocessor(bert_tokenizer)(["good"])


@pytest.mark.parametrize(
    ("options", "received"),
    [({"truncate": "middle"}, "'middle'"), ({"sequence_length": 2}, "=2")],
)
def test_wrong_options_are_named(bert_tokenizer, options, received):
    with pytest.raises(ValueError, match=received):
        TextClassifierPreprocessor(bert_tokenizer, **options)


def test_many_texts_are_tokenised_in_turns_and_outside_the_graph(
    gpt2_tokenizer, monkeypatch
):
    def refuse(texts):
        raise AssertionError("KerasHub's own tokenizer was asked, which is slow")

    pack = TextClassifierPreprocessor(gpt2_tokenizer, sequence_length=64)
    texts = [f"the film number {i} is good, isn't it?" for i in range(10)]
    expected = [pack.tokenize_rows([text])[0].tolist() for text in texts]
    monkeypatch.setattr(token_rows, "_TEXTS_AT_ONCE", 4)
    monkeypatch.setattr(gpt2_tokenizer, "tokenize", refuse)
    assert [row.tolist() for row in pack.tokenize_rows(texts)] == expected
    assert len({tuple(row) for row in expected}) == 10
