"""Writes tokenizers as the files that transformers reads."""

import functools
import json

import keras_hub
import tokenizers

from kftune.models.fast_tokenizers import byte_level_bpe, merge_rules
from kftune.models.tokenizers.marian_tokenizer import MarianTokenizer


@functools.singledispatch
def write_tokenizer(tokenizer, folder):
    """Writes the files of a tokenizer, and `tokenizer_config.json`.

    Args:
        tokenizer: of GPT-2, BART or Marian.
        folder: `Path`, which exists.

    Raises:
        TypeError: if it is of another model.
    """
    raise TypeError(
        "Expected a tokenizer of GPT-2, BART or Marian. Received: "
        f"{type(tokenizer).__name__}"
    )


@write_tokenizer.register
def _(tokenizer: MarianTokenizer, folder):
    tokenizer.save_assets(folder)
    _write_config(
        folder,
        tokenizer_class="MarianTokenizer",
        eos_token=tokenizer.end_token,
        pad_token=tokenizer.pad_token,
        unk_token=tokenizer.unknown_token,
        separate_vocabs=tokenizer.has_target_vocabulary,
    )


@write_tokenizer.register
def _(tokenizer: keras_hub.models.GPT2Tokenizer, folder):
    end = tokenizer.end_token
    fast = byte_level_bpe(tokenizer, longest_word=None)
    fast.post_processor = tokenizers.processors.ByteLevel(trim_offsets=False)
    _write_byte_pairs(tokenizer, fast, folder)
    _write_config(
        folder,
        tokenizer_class="GPT2Tokenizer",
        add_prefix_space=tokenizer.add_prefix_space,
        bos_token=tokenizer.start_token,
        eos_token=end,
        unk_token=end,
    )


@write_tokenizer.register
def _(tokenizer: keras_hub.models.BartTokenizer, folder):
    fast = byte_level_bpe(tokenizer, longest_word=None)
    fast.post_processor = tokenizers.processors.RobertaProcessing(
        (tokenizer.end_token, tokenizer.end_token_id),
        (tokenizer.start_token, tokenizer.start_token_id),
        add_prefix_space=tokenizer.add_prefix_space,
    )
    _write_byte_pairs(tokenizer, fast, folder)
    _write_config(
        folder,
        tokenizer_class="BartTokenizer",
        add_prefix_space=tokenizer.add_prefix_space,
        bos_token=tokenizer.start_token,
        cls_token=tokenizer.start_token,
        eos_token=tokenizer.end_token,
        sep_token=tokenizer.end_token,
        pad_token=tokenizer.pad_token,
    )


def _write_byte_pairs(tokenizer, fast, folder):
    """The one file that new libraries read, and the two that old ones do."""
    fast.save(str(folder / "tokenizer.json"))
    vocabulary = json.dumps(dict(tokenizer.vocabulary), ensure_ascii=False)
    (folder / "vocab.json").write_text(vocabulary, "utf-8")
    merges = "\n".join(["#version: 0.2", *map(" ".join, merge_rules(tokenizer))])
    (folder / "merges.txt").write_text(merges + "\n", "utf-8")


def _write_config(folder, **settings):
    text = json.dumps(settings, indent=2)
    (folder / "tokenizer_config.json").write_text(text, "utf-8")
