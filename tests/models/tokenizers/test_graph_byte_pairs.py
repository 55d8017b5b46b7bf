import random

import keras_hub
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from kftune.models import load_tokenizer
from kftune.models.fast_tokenizers import byte_level_bpe
from kftune.models.tokenizers.graph_byte_pairs import GraphBytePairs

STRINGS = tf.TensorSpec([None], tf.string)
SPACES = " \t\n\v\f\r\x1c\x1f\x85\xa0\u1680\u2003\u2028\u2029\u202f\u3000\u200b\ufeff"
WORDS = [
    "the",
    "film",
    " isn't",
    "'s",
    "'LL",
    "we've",
    "\u2019t",
    "!?",
    "...",
    "1999",
    "६½",
]
ODD = ["\x00", "\x07", "e\u0301", "שלום", "مرحبا", "👩\u200d💻", "\ufdd0\ufdd1", "日本"]
SPECIAL = ["<|endoftext|>", "<|endoftext|", "<s>", "</s>", "<s", "<pad>"]
SENTENCES = [
    "The film is good, isn't it? They've said so: see it.",
    "  A slow start,\n\n2 hours 15 minutes  of waiting; then 1999 all over again!\r\n",
    "naïve café “quotes” … \u2013 https://example.org/a_b?c=d&e=1,000",
]


@pytest.fixture(scope="module")
def shipped():
    return load_tokenizer("gpt2_tiny_en")


@pytest.fixture(scope="module")
def bart(shipped):
    """Puts a space before texts; `<s>` and the like are special."""
    vocabulary = {**shipped.vocabulary, "<s>": 9000, "<pad>": 9001, "</s>": 9002}
    return keras_hub.models.BartTokenizer(
        vocabulary, shipped.merges, add_prefix_space=True
    )


@pytest.fixture(scope="module")
def tiny():
    """Knows few bytes."""
    return keras_hub.models.GPT2Tokenizer(
        {"<|endoftext|>": 3, "!": 0, "a": 1, "b": 2, "ba": 4, "Ġ": 9}, ["b a"]
    )


def in_graph(tokenizer, texts):
    tokenize = tf.function(GraphBytePairs(tokenizer).tokenize, [STRINGS])
    return tokenize(tf.constant(texts, tf.string)).to_list()


def outside(tokenizer, texts):
    return [row.ids for row in byte_level_bpe(tokenizer).encode_batch(texts)]


def random_texts(seed, count):
    rng = random.Random(seed)

    def any_character():
        code = rng.choice([rng.randrange(0x3000), rng.randrange(0x110000)])
        return chr(code) if not 0xD800 <= code < 0xE000 else "�"

    kinds = [
        any_character,
        lambda: rng.choice(SPACES),
        lambda: chr(rng.randrange(128)),
        lambda: rng.choice(WORDS),
        lambda: rng.choice(ODD),
        lambda: rng.choice(SPECIAL),
    ]
    for _ in range(count):
        weights = [rng.random() ** 3 for _ in kinds]
        parts = rng.choices(kinds, weights, k=rng.randrange(30))
        yield "".join(part() for part in parts)


@pytest.mark.long
@pytest.mark.parametrize("name", ["shipped", "bart", "tiny"])
def test_ids_of_random_texts_are_those_of_the_library(request, name):
    tokenizer = request.getfixturevalue(name)
    texts = [*random_texts(1, 3000), *SENTENCES, "", " ", "\n"]
    expected = outside(tokenizer, texts)
    for text, got, wanted in zip(
        texts, in_graph(tokenizer, texts), expected, strict=True
    ):
        assert got == wanted, text
    few = len(tokenizer.vocabulary) < 10
    assert len({token for row in expected for token in row}) > (4 if few else 400)


@pytest.mark.long
def test_rules_in_any_order_are_applied_as_the_library_does():
    rng = random.Random(5)
    for _ in range(2):
        tokens = list("abc")
        rules = []
        while len(rules) < 60:
            pair = rng.choices(tokens, k=2)
            if "".join(pair) not in tokens:
                tokens.append("".join(pair))
                rules.append(" ".join(pair))
        rng.shuffle(rules)  # now some come before those that make their parts
        vocabulary = {token: i for i, token in enumerate([*tokens, "<|endoftext|>"])}
        tokenizer = keras_hub.models.GPT2Tokenizer(vocabulary, rules)
        texts = ["".join(rng.choices("abc", k=60)) for _ in range(300)]
        assert in_graph(tokenizer, texts) == outside(tokenizer, texts)


def test_long_words_are_merged_in_pieces(shipped):
    rng = random.Random(3)
    letters = "".join(rng.choices("etaoinshrdlu", k=10_000))
    texts = [letters[:n] for n in (255, 256, 257, 10_000)] + ["é" * 5000, "日" * 200]
    received = in_graph(shipped, texts)
    assert received == outside(shipped, texts)
    whole = byte_level_bpe(shipped, longest_word=None)
    expected = [whole.encode(letters[i : i + 256]).ids for i in range(0, 10_000, 256)]
    assert received[3] == [token for ids in expected for token in ids]
    assert received[:2] == [whole.encode(text).ids for text in texts[:2]]
    assert received[3] != whole.encode(letters).ids


@pytest.mark.long
def test_special_tokens_that_begin_alike_or_have_no_id_yet():
    tokenizer = keras_hub.models.GPT2Tokenizer(
        {"<|endoftext|>": 0, "a": 1, "b": 2, "ab": 3, "Ġ": 4},
        ["a b"],
        unsplittable_tokens=["<a>", "<a>b", "a b", " <|endoftext|>", "é.*", "\n"],
    )
    texts = ["<a>b<a>ab <|endoftext|>é.*a\nb", "  a b é. *", "<|endoftext|>"]
    assert in_graph(tokenizer, texts) == outside(tokenizer, texts)
    none = keras_hub.models.GPT2Tokenizer(
        tokenizer.vocabulary, ["a b"], unsplittable_tokens=[]
    )
    assert in_graph(none, ["<|endoftext|>ab"]) == outside(none, ["<|endoftext|>ab"])


def test_what_is_not_utf_8_is_read_as_python_reads_it(shipped):
    rng = random.Random(2)
    lead = [0xC3, 0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0x98, 0xED, 0xA0, 0xF4, 0x90, 0x20]
    texts = [bytes(rng.choices([*lead, 0xFF, 0x41], k=12)) for _ in range(500)]
    expected = outside(shipped, [text.decode("utf-8", "replace") for text in texts])
    assert in_graph(shipped, texts) == expected


def test_no_text(shipped):
    tokenize = tf.function(GraphBytePairs(shipped).tokenize, [STRINGS])
    assert tokenize(tf.constant([], tf.string)).to_list() == []
    assert tokenize(tf.constant(["", ""])).to_list() == [[], []]


def test_one_text_and_several_in_a_dataset(shipped):
    byte_pairs = GraphBytePairs(shipped)
    data = tf.data.Dataset.from_tensor_slices(SENTENCES)
    rows = [row.tolist() for row in data.map(byte_pairs.tokenize).as_numpy_iterator()]
    assert rows == outside(shipped, SENTENCES)
    (batch,) = data.batch(3).map(byte_pairs.tokenize)
    assert (batch.to_list(), batch.dtype) == (rows, tf.int32)


@pytest.mark.parametrize("skip", [True, False])
def test_texts_come_back(shipped, bart, skip):
    for tokenizer in (shipped, bart):
        fast, byte_pairs = byte_level_bpe(tokenizer), GraphBytePairs(tokenizer)
        back = tf.function(byte_pairs.detokenize)
        rng = random.Random(4)
        rows = [rng.choices([*tokenizer.vocabulary.values()], k=k) for k in range(60)]
        rows[5] = [*tokenizer.special_token_ids, *rows[5]]
        received = back(tf.ragged.constant(rows, tf.int32), skip)
        texts = [text.decode("utf-8") for text in received.numpy()]
        assert texts == fast.decode_batch(rows, skip_special_tokens=skip)
        dense = back(tf.constant([rows[5], rows[5][::-1]]), skip)
        assert dense.numpy()[0].decode("utf-8") == texts[5]
    texts = [text for text in random_texts(6, 500) if "<" not in text]
    received = back(byte_pairs.tokenize(tf.constant(texts)), skip).numpy()
    prefixed = [text if text[:1] in (" ", "") else f" {text}" for text in texts]
    assert [text.decode("utf-8") for text in received] == prefixed


def test_ids_without_a_token_give_nothing(tiny):
    byte_pairs = GraphBytePairs(tiny)
    ids = tf.constant([[1, -1, 7, 10_000, 4], [7, 7, 7, 7, 7]], tf.int64)
    assert byte_pairs.detokenize(ids).numpy().tolist() == [b"aba", b""]
    assert byte_pairs.detokenize(tf.zeros([0, 3], tf.int32)).shape == (0,)
    assert byte_pairs.detokenize(tf.zeros([1, 0], tf.int32)).numpy().tolist() == [b""]


def test_a_saved_model_needs_no_changing_table_and_no_xla(bart, tmp_path):
    module = tf.Module()
    module.byte_pairs = GraphBytePairs(bart)

    @tf.function(input_signature=[STRINGS])
    def serve(texts):
        ids = module.byte_pairs.tokenize(texts)
        dense = ids.to_tensor(-1)
        return {"ids": dense, "texts": module.byte_pairs.detokenize(dense, False)}

    tf.saved_model.save(module, str(tmp_path), signatures=serve)
    texts = [*random_texts(8, 200), *SENTENCES]
    expected = outside(bart, texts)
    loaded = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    reloaded = {name: x.numpy() for name, x in loaded(tf.constant(texts)).items()}
    for result in (reloaded, in_session(tmp_path, texts)):
        rows = [[i for i in row if i >= 0] for row in result["ids"].tolist()]
        assert rows == expected
        back = byte_level_bpe(bart).decode_batch(expected, skip_special_tokens=False)
        assert [text.decode("utf-8") for text in result["texts"]] == back
    ops = operations(tmp_path)
    assert {"HashTableV2", "StaticRegexReplace", "While"} <= ops
    assert not [op for op in ops if "Mutable" in op or "Xla" in op or "PyFunc" in op]
    assert not ops - set(core_operations())


def in_session(folder, texts):
    """What the signature answers in a session, which is how TF Serving runs it."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        graph = v1.saved_model.load(session, ["serve"], str(folder))
        signature = graph.signature_def["serving_default"]
        (key,) = (x.name for x in signature.inputs.values())
        outputs = {name: x.name for name, x in signature.outputs.items()}
        return session.run(outputs, {key: [text.encode() for text in texts]})


def operations(folder):
    """Names of all operations in a SavedModel."""
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    functions = graph.library.function
    nodes = [*graph.node, *(node for f in functions for node in f.node_def)]
    calls = {f.signature.name for f in functions}
    return {node.op for node in nodes} - calls


def core_operations():
    """Names of the operations of TensorFlow without TF Text."""
    return [name for name in dir(tf.raw_ops) if name[0].isupper()]


def test_other_tokenizers_are_refused():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    with pytest.raises(TypeError, match="Received: BertTokenizer"):
        GraphBytePairs(keras_hub.models.BertTokenizer(words))
    with pytest.raises(ValueError, match="GPT2Tokenizer with a vocabulary"):
        GraphBytePairs(keras_hub.models.GPT2Tokenizer())
