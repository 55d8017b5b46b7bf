"""The tokenizer of M2M100 and NLLB: one SentencePiece model for all languages."""

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

SENTENCE_PIECE_FILE = "sentencepiece.bpe.model"


@keras.saving.register_keras_serializable(package="kftune")
class M2M100Tokenizer(TranslationTokenizer):
    """Cuts all languages with one SentencePiece model and tells languages by tokens.

    The source is `language, tokens, </s>`, as a decoder's row is `</s>, language,
    tokens, </s>`. Early NLLB checkpoints end the source with its language instead:
    `tokens, </s>, language`.

    Args:
        proto: `bytes`, content of `sentencepiece.bpe.model`, or `None` to load it
            later.
        vocabulary: dict of token to id, language tokens among them, or `None`.
        language_tokens: dict of language code to its token: `{"en": "__en__"}` for
            M2M100, `{"eng_Latn": "eng_Latn"}` for NLLB.
        source_language: `str`, a code, or `None`. An attribute that can be set.
        target_language: `str`, a code, or `None`. An attribute that can be set.
        source_language_last: `bool`. True for early NLLB checkpoints.
        start_token: `str`, with which decoding starts.
        end_token: `str`.
        pad_token: `str`.
        unknown_token: `str`.
        extra_special_tokens: list of `str`: more tokens of the vocabulary that are
            never cut and no part of a text.
        **kwargs: Passed to `keras_hub.tokenizers.Tokenizer`.

    Raises:
        ValueError: if the file is no SentencePiece model, the vocabulary has repeated
            ids or lacks special tokens, or there is no such language.

    Reference:
        Fan et al., 2020, "Beyond English-Centric Multilingual Machine Translation".

    Example:
    ```python
    folder = Path("m2m100_418M")
    vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
    tokenizer = M2M100Tokenizer(
        proto=(folder / "sentencepiece.bpe.model").read_bytes(),
        vocabulary={**vocabulary, "__de__": 128020, "__en__": 128022},
        language_tokens={"de": "__de__", "en": "__en__"},
        source_language="en",
        target_language="de",
    )
    tokenizer(["Good morning."])
    ```
    """

    def __init__(
        self,
        proto=None,
        vocabulary=None,
        language_tokens=None,
        source_language=None,
        target_language=None,
        *,
        source_language_last=False,
        start_token="</s>",
        end_token="</s>",
        pad_token="<pad>",
        unknown_token="<unk>",
        extra_special_tokens=("<s>",),
        **kwargs,
    ):
        specials = (start_token, end_token, pad_token, unknown_token)
        super().__init__(*specials, extra_special_tokens, **kwargs)
        self.language_tokens = dict(language_tokens or {})
        self.source_language = source_language
        self.target_language = target_language
        self.source_language_last = source_language_last
        self.file_assets = [SENTENCE_PIECE_FILE, VOCABULARY_FILE]
        self._proto = None
        if proto is not None:
            self._set(proto, vocabulary)

    @property
    def source_language(self):
        """Code of the language of the source, a `str`, or `None`."""
        return self._source_language

    @source_language.setter
    def source_language(self, code):
        self._source_language = self._known(code)

    @property
    def target_language(self):
        """Code of the language of the target, a `str`, or `None`."""
        return self._target_language

    @target_language.setter
    def target_language(self, code):
        self._target_language = self._known(code)

    @property
    def special_tokens(self):
        """List of `str`: special tokens and languages, which are no part of a text."""
        return [*super().special_tokens, *self.language_tokens.values()]

    @property
    def source_start_ids(self):
        """List of `int`: the source language, unless it stands last."""
        return [] if self.source_language_last else [self._language_id("source")]

    @property
    def source_end_ids(self):
        """List of `int`: the end token, and the source language if it stands last."""
        last = [self._language_id("source")] if self.source_language_last else []
        return [self.end_token_id, *last]

    @property
    def target_start_ids(self):
        """List of `int`: the start token and the target language."""
        return [*super().target_start_ids, self._language_id("target")]

    def save_assets(self, dir_path):
        """Writes the SentencePiece model and the vocabulary with its languages.

        Args:
            dir_path: `str` or `Path` of a folder.
        """
        (Path(dir_path) / SENTENCE_PIECE_FILE).write_bytes(self._loaded(self._proto))
        write_vocabulary(self._source_ids, Path(dir_path) / VOCABULARY_FILE)

    def load_assets(self, dir_path):
        """Reads what `save_assets` wrote.

        Args:
            dir_path: `str` or `Path` of a folder.
        """
        proto = (Path(dir_path) / SENTENCE_PIECE_FILE).read_bytes()
        self._set(
            proto, json.loads((Path(dir_path) / VOCABULARY_FILE).read_text("utf-8"))
        )

    def get_config(self):
        """The constructor's arguments, without the files."""
        return {
            **super().get_config(),
            "language_tokens": dict(self.language_tokens),
            "source_language": self.source_language,
            "target_language": self.target_language,
            "source_language_last": self.source_language_last,
        }

    def _set(self, proto, vocabulary):
        specials = self.special_tokens
        check_vocabulary(vocabulary, specials)
        coder = SentencePieceCoder(
            proto,
            vocabulary,
            unknown_token=self.unknown_token,
            special_tokens=specials,
        )
        self._set_coders(coder, coder, vocabulary, vocabulary)
        self._proto = proto

    def _known(self, code):
        if code is not None and code not in self.language_tokens:
            raise ValueError(
                f"Expected one of the languages {sorted(self.language_tokens)}. "
                f"Received: {code!r}"
            )
        return code

    def _language_id(self, side):
        code = getattr(self, f"{side}_language")
        if code is None:
            raise ValueError(
                f"Expected a language of the {side}: set tokenizer.{side}_language to "
                f"one of {sorted(self.language_tokens)}. Received: None"
            )
        return self._loaded(self._source_ids)[self.language_tokens[code]]
