"""The tokenizer of Marian models, as OPUS-MT publishes them."""

import json
from pathlib import Path

import keras

from kftune.models.tokenizers.sentence_piece_coder import SentencePieceCoder
from kftune.models.tokenizers.translation_tokenizer import (
    VOCABULARY_FILE,
    TranslationTokenizer,
    check_vocabulary,
    write_vocabulary,
)

SOURCE_FILE = "source.spm"
TARGET_FILE = "target.spm"
TARGET_VOCABULARY_FILE = "target_vocab.json"
_LANGUAGE_CODE = ">>.*?<<"


@keras.saving.register_keras_serializable(package="kftune")
class MarianTokenizer(TranslationTokenizer):
    """Cuts source and target with a SentencePiece model each; ids from `vocab.json`.

    Multilingual models are told the target language at the beginning of the source:
    `">>fra<< Good morning."`; see `language_codes`. Texts are normalised by the rules
    in the SentencePiece models alone, as in transformers.

    Args:
        source_proto: `bytes`, content of `source.spm`, or `None` to load it later.
        target_proto: `bytes`, content of `target.spm`, or `None`.
        vocabulary: dict of token to id, content of `vocab.json`, or `None`.
        target_vocabulary: dict of token to id, if the target has a vocabulary of its
            own, else `None`.
        has_target_vocabulary: `bool`. Whether one will be loaded later.
        start_token: `str`, with which decoding starts.
        end_token: `str`.
        pad_token: `str`.
        unknown_token: `str`.
        extra_special_tokens: list of `str`: more tokens of the vocabulary that are
            never cut and no part of a text.
        **kwargs: Passed to `keras_hub.tokenizers.Tokenizer`.

    Raises:
        ValueError: if a file is no SentencePiece model or a vocabulary has repeated
            ids or lacks special tokens.

    Reference:
        Junczys-Dowmunt et al., 2018, "Marian: Fast Neural Machine Translation in C++".

    Example:
    ```python
    folder = Path("opus-mt-en-de")
    tokenizer = MarianTokenizer(
        source_proto=(folder / "source.spm").read_bytes(),
        target_proto=(folder / "target.spm").read_bytes(),
        vocabulary=json.loads((folder / "vocab.json").read_text("utf-8")),
    )
    tokenizer(["Good morning."])
    tokenizer.detokenize(tokenizer.tokenize_target(["Guten Morgen."]))
    ```
    """

    def __init__(
        self,
        source_proto=None,
        target_proto=None,
        vocabulary=None,
        target_vocabulary=None,
        *,
        has_target_vocabulary=False,
        start_token="<pad>",
        end_token="</s>",
        pad_token="<pad>",
        unknown_token="<unk>",
        extra_special_tokens=(),
        **kwargs,
    ):
        specials = (start_token, end_token, pad_token, unknown_token)
        super().__init__(*specials, extra_special_tokens, **kwargs)
        self.has_target_vocabulary = has_target_vocabulary or bool(target_vocabulary)
        self.file_assets = [SOURCE_FILE, TARGET_FILE, VOCABULARY_FILE]
        if self.has_target_vocabulary:
            self.file_assets.append(TARGET_VOCABULARY_FILE)
        self._protos = None
        if source_proto is not None:
            self._set(source_proto, target_proto, vocabulary, target_vocabulary)

    @property
    def language_codes(self):
        """List of `str`: the codes a source may begin with, such as `">>fra<<"`."""
        return sorted(
            token
            for token in self._loaded(self._source_ids)
            if token.startswith(">>") and token.endswith("<<")
        )

    def with_target_of(self, other):
        """Makes a tokenizer with this source side and the target side of another one.

        Args:
            other: `MarianTokenizer`.

        Returns:
            `MarianTokenizer`, whose target has a vocabulary of its own.

        Raises:
            ValueError: if the other vocabulary lacks a special token of this one.
        """
        config = {**self.get_config(), "has_target_vocabulary": True}
        return MarianTokenizer(
            self._loaded(self._protos)[0],
            other._loaded(other._protos)[1],
            self._source_ids,
            other._target_ids,
            **{name: value for name, value in config.items() if name != "name"},
        )

    def save_assets(self, dir_path):
        """Writes the files as transformers names them.

        Args:
            dir_path: `str` or `Path` of a folder.
        """
        folder, (source_proto, target_proto) = (
            Path(dir_path),
            self._loaded(self._protos),
        )
        (folder / SOURCE_FILE).write_bytes(source_proto)
        (folder / TARGET_FILE).write_bytes(target_proto)
        write_vocabulary(self._source_ids, folder / VOCABULARY_FILE)
        if self.has_target_vocabulary:
            write_vocabulary(self._target_ids, folder / TARGET_VOCABULARY_FILE)

    def load_assets(self, dir_path):
        """Reads what `save_assets` wrote, or a Hugging Face folder.

        Args:
            dir_path: `str` or `Path` of a folder.
        """
        folder = Path(dir_path)
        vocabularies = [
            json.loads((folder / name).read_text("utf-8"))
            for name in self.file_assets
            if name.endswith(".json")
        ]
        self._set(
            (folder / SOURCE_FILE).read_bytes(),
            (folder / TARGET_FILE).read_bytes(),
            vocabularies[0],
            vocabularies[1] if self.has_target_vocabulary else None,
        )

    def get_config(self):
        """The constructor's arguments, without the files."""
        return {
            **super().get_config(),
            "has_target_vocabulary": self.has_target_vocabulary,
        }

    def _set(self, source_proto, target_proto, source_ids, target_ids):
        target_ids = source_ids if target_ids is None else target_ids
        specials = self.special_tokens
        check_vocabulary(source_ids, specials)
        check_vocabulary(target_ids, specials)
        options = {"unknown_token": self.unknown_token, "special_tokens": specials}
        source = SentencePieceCoder(
            source_proto, source_ids, prefix=_LANGUAGE_CODE, **options
        )
        target = SentencePieceCoder(
            target_proto, target_ids, prefix=_LANGUAGE_CODE, **options
        )
        self._set_coders(source, target, source_ids, target_ids)
        self._protos = (source_proto, target_proto)
