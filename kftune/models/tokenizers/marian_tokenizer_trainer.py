"""Trains the tokenizer of a translation model, in Marian's own files."""

import io
import itertools
import re

import numpy as np
import sentencepiece

from kftune.error_text import first_few
from kftune.models.texts import as_texts
from kftune.models.tokenizers.marian_tokenizer import MarianTokenizer

_END, _UNKNOWN, _PAD = "</s>", "<unk>", "<pad>"
_RESERVED = re.compile(r"</?s>|<unk>|<pad>|<0x[0-9A-F]{2}>|.*[\s\u2581].*|", re.DOTALL)
_LANGUAGE = re.compile(r"[\w.-]+")
_MODEL_TYPES = ("unigram", "bpe")
_LONGEST = 2**30  # bytes; SentencePiece skips longer texts, 4192 by default


def train_marian_tokenizer(
    source_texts,
    target_texts,
    vocabulary_size,
    *,
    joint=True,
    languages=(),
    symbols=(),
    byte_fallback=True,
    model_type="unigram",
    normalization="nmt_nfkc",
    character_coverage=0.9995,
    max_texts=1_000_000,
    seed=0,
):
    """Trains SentencePiece models on both sides and numbers their pieces as Marian.

    The order is that of OPUS-MT: `</s>`, `<unk>`, symbols and language tags, bytes,
    what was learnt, and last `<pad>`, with which decoding starts. Upper and lower case
    are kept. transformers' `MarianTokenizer` reads the files that `save_assets` writes
    and gives the same ids.

    Args:
        source_texts: sequence of `str`, such as a column of a `datasets.Dataset`.
        target_texts: sequence of `str`.
        vocabulary_size: `int`. Tokens, all those above included; of each side if
            `joint` is False.
        joint: `bool`. True: one model and one vocabulary for both sides, so that a
            backbone can share its embeddings. False: one for each side.
        languages: sequence of `str`, codes of the target languages of a multilingual
            model, such as `"de"`. Each is a token, `>>de<<`, at the beginning of a
            source.
        symbols: sequence of `str` without white space, such as `"%s"`. Each is one
            token wherever it stands in a text.
        byte_fallback: `bool`. True: characters without a piece become UTF-8 bytes, 256
            tokens, and come back. False: they become `<unk>`.
        model_type: `str`. `"unigram"` or `"bpe"`.
        normalization: `str`, SentencePiece's name of what is done to texts before they
            are cut. `"nmt_nfkc"` makes `fi` of `ﬁ` and three dots of `…`; `"identity"`
            leaves all but repeated spaces as it is.
        character_coverage: `float` in [0.98, 1]. Share of the characters in the texts
            that are of a kind that gets a piece; the rest are rare ones.
        max_texts: `int`. A model is trained on at most so many texts of each side,
            chosen at random.
        seed: `int`. Of this choice.

    Returns:
        `MarianTokenizer`.

    Raises:
        ValueError: if a symbol, language or setting is not possible, if there are no
            texts, or if the vocabulary is too small for their characters or larger than
            they can fill.

    Reference:
        Kudo and Richardson, 2018, "SentencePiece: A simple and language independent
        subword tokenizer and detokenizer for Neural Text Processing".

    Example:
    ```python
    pairs = kftune.data.read("train.en+train.de")
    tokenizer = train_marian_tokenizer(
        pairs["source"], pairs["target"], 8000, languages=["de"], symbols=["%s", "{0}"]
    )
    tokenizer([">>de<< Delete %s?"])
    ```
    """
    if model_type not in _MODEL_TYPES:
        raise ValueError(
            f"Expected model_type to be one of {_MODEL_TYPES}. Received: {model_type!r}"
        )
    tags = [f">>{code}<<" for code in languages]
    _check_symbols(symbols, languages)
    options = {
        "byte_fallback": byte_fallback,
        "model_type": model_type,
        "normalization_rule_name": normalization,
        "character_coverage": character_coverage,
    }
    rng = np.random.default_rng(seed)
    source, target = (
        _chosen(texts, max_texts, rng) for texts in (source_texts, target_texts)
    )
    source_symbols = [*symbols, *tags]
    if joint:
        both = itertools.chain(source, target)
        proto = _train(both, vocabulary_size, source_symbols, options)
        return MarianTokenizer(proto, proto, _vocabulary(proto))
    protos = (
        _train(source, vocabulary_size, source_symbols, options),
        _train(target, vocabulary_size, list(symbols), options),
    )
    return MarianTokenizer(*protos, *map(_vocabulary, protos))


def _train(texts, vocabulary_size, symbols, options):
    """A serialised SentencePiece model of all tokens but `<pad>`."""
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            vocab_size=max(vocabulary_size - 1, 2),
            eos_id=0,
            unk_id=1,
            bos_id=-1,
            pad_id=-1,
            user_defined_symbols=symbols,
            minloglevel=2,
            max_sentence_length=_LONGEST,
            **options,
        )
    except RuntimeError as error:
        raise ValueError(_why(error, vocabulary_size)) from error
    return model.getvalue()


def _why(error, vocabulary_size):
    """What SentencePiece says of sizes, which count `<pad>` here."""
    most = re.search(r"value <= (\d+)", str(error))
    least = re.search(r"required_chars\. \d+ vs (\d+)", str(error))
    if most:
        bound = f"at most {int(most[1]) + 1}, which is all the texts can fill"
    elif least:
        bound = f"at least {int(least[1]) + 1}, which the characters of the texts need"
    else:
        return f"Expected settings that SentencePiece can train with. Received: {error}"
    return f"Expected a vocabulary_size of {bound}. Received: {vocabulary_size}"


def _vocabulary(proto):
    """Dict of token to id: SentencePiece's own, and `<pad>` behind them."""
    model = sentencepiece.SentencePieceProcessor(model_proto=proto)
    tokens = [model.id_to_piece(i) for i in range(len(model))]
    return {token: i for i, token in enumerate([*tokens, _PAD])}


def _chosen(texts, most, rng):
    """At most so many of the texts, in their order."""
    count = len(texts)
    keep = np.ones(count, bool)
    if count > most:
        keep[:] = False
        keep[rng.choice(count, most, replace=False)] = True
    chosen, _ = as_texts(itertools.compress(texts, keep))
    if not any(text.strip() for text in chosen):
        raise ValueError(f"Expected texts of both sides. Received: {count} blank ones")
    return chosen


def _check_symbols(symbols, languages):
    """Symbols must differ, and be nothing that SentencePiece has a use for."""
    wrong = [s for s in symbols if not isinstance(s, str) or _RESERVED.fullmatch(s)]
    wrong += [c for c in languages if not _LANGUAGE.fullmatch(c)]
    named = [*symbols, *languages]
    wrong += sorted({s for s in named if named.count(s) > 1})
    if wrong:
        raise ValueError(
            "Expected different symbols without white space that are no special tokens "
            "or bytes, and languages as short codes such as 'de'. Received: "
            f"{first_few(wrong)}"
        )
