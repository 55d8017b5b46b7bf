"""How texts are cut, against the tokenizers of transformers themselves."""

import json

import keras_hub
import pytest
import tensorflow as tf
import tokenizers
import transformers
from tokenizers import normalizers, pre_tokenizers

from kftune.models import TextClassifierPreprocessor, load_tokenizer

TEXTS = ["The film is good", " 1999 again", "film<|endoftext|>The film"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "film", "Film", "中", "##文"]


def write_byte_pairs(folder, *, cut=None, fold=None, **config):
    """A folder with tokenizer.json of a byte-level BPE; transformers' tokenizer."""
    backend = tokenizers.Tokenizer(tokenizers.models.BPE())
    backend.pre_tokenizer = cut or pre_tokenizers.ByteLevel(add_prefix_space=False)
    if fold is not None:
        backend.normalizer = fold
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(["The film is good, 1999"] * 9, trainer)
    end = "<|endoftext|>"
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=end, eos_token=end
    ).save_pretrained(folder)
    return finish(folder, "gpt2", 300, config)


def write_bert(folder, *, added=(), fold=None, config=None, **options):
    vocabulary = {word: i for i, word in enumerate(WORDS)}
    tokenizer = transformers.BertTokenizer(vocab=vocabulary, **options)
    tokenizer.add_tokens(list(added))
    if fold is not None:
        tokenizer.backend_tokenizer.normalizer = fold
    tokenizer.save_pretrained(folder)
    return finish(folder, "bert", 30, config or {})


def finish(folder, model_type, rows, changes):
    content = {"model_type": model_type, "vocab_size": rows}
    (folder / "config.json").write_text(json.dumps(content), "utf-8")
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text("utf-8")) | changes
    path.write_text(json.dumps(settings), "utf-8")
    return transformers.AutoTokenizer.from_pretrained(folder)


def rows_of(tokenizer, texts):
    pack = TextClassifierPreprocessor(
        tokenizer, 20, add_start_token=False, add_end_token=False
    )
    rows = [row.tolist() for row in pack.tokenize_rows(texts)]
    in_graph = tf.data.Dataset.from_tensors(texts).map(lambda x: pack(x)["token_ids"])
    packed = next(iter(in_graph)).numpy()
    found = [row[: len(ids)].tolist() for row, ids in zip(packed, rows, strict=True)]
    assert found == rows
    return rows


@pytest.mark.long
@pytest.mark.parametrize("in_file", [True, False])
@pytest.mark.parametrize("stated", [True, False, None])
@pytest.mark.parametrize("name", ["PreTrainedTokenizerFast", "GPT2Tokenizer"])
def test_a_space_before_texts(tmp_path, in_file, stated, name):
    config = {} if stated is None else {"add_prefix_space": stated}
    cut = pre_tokenizers.ByteLevel(add_prefix_space=in_file)
    theirs = write_byte_pairs(tmp_path, cut=cut, tokenizer_class=name, **config)
    expected = theirs(TEXTS, add_special_tokens=False)["input_ids"]
    assert rows_of(load_tokenizer(tmp_path), TEXTS) == expected


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"fold": normalizers.Lowercase()}, "normalizer='Lowercase' .expected None"),
        (
            {
                "cut": pre_tokenizers.Sequence(
                    [pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel()]
                )
            },
            "pre_tokenizer=.'Digits', 'ByteLevel'. .expected 'ByteLevel'",
        ),
        ({"cut": pre_tokenizers.ByteLevel(use_regex=False)}, "use_regex=False"),
    ],
)
def test_other_cuts_are_refused(tmp_path, options, told):
    write_byte_pairs(tmp_path, **options)
    with pytest.raises(ValueError, match=f"tokenizer of a gpt2.*{told}"):
        load_tokenizer(tmp_path)


def test_a_sequence_of_one_is_what_it_holds(tmp_path):
    cut = pre_tokenizers.Sequence([pre_tokenizers.ByteLevel(add_prefix_space=True)])
    theirs = write_byte_pairs(tmp_path, cut=cut)
    assert rows_of(load_tokenizer(tmp_path), TEXTS) == theirs(TEXTS)["input_ids"]


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("name", ["PreTrainedTokenizerFast", "BertTokenizer"])
def test_bert_folds_case_as_its_files_say(tmp_path, lowercase, name):
    theirs = write_bert(
        tmp_path, do_lower_case=lowercase, config={"tokenizer_class": name}
    )
    texts = ["Film 中 film", "[MASK] FILM"]
    found = load_tokenizer(tmp_path)
    assert isinstance(found, keras_hub.models.BertTokenizer)
    expected = theirs(texts, add_special_tokens=False)["input_ids"]
    pack = TextClassifierPreprocessor(
        found, 20, add_start_token=False, add_end_token=False
    )
    assert [row.tolist() for row in pack.tokenize_rows(texts)] == expected


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"tokenize_chinese_chars": False}, "tokenize_chinese_chars=False"),
        ({"added": ["<x>"]}, "added_tokens=.'<x>'. .expected ..."),
        ({"fold": normalizers.NFC()}, "normalizer='NFC' .expected 'BertNormalizer'"),
        (
            {
                "fold": normalizers.BertNormalizer(handle_chinese_chars=False),
                "config": {"tokenizer_class": "PreTrainedTokenizerFast"},
            },
            "tokenize_chinese_chars=False",
        ),
    ],
)
def test_what_bert_does_otherwise_is_refused(tmp_path, options, told):
    write_bert(tmp_path, **options)
    with pytest.raises(ValueError, match=f"tokenizer of a bert.*{told}"):
        load_tokenizer(tmp_path)
