"""Hugging Face folders with an M2M100 or an NLLB."""

import re

import sentencepiece

from kftune.models.converters.encoder_decoder_format import EncoderDecoderFormat
from kftune.models.converters.hf_files import read_json, read_json_if_there
from kftune.models.tokenizers.m2m100_tokenizer import (
    SENTENCE_PIECE_FILE,
    M2M100Tokenizer,
)

M2M100 = EncoderDecoderFormat(
    model_type="m2m_100",
    architecture="M2M100ForConditionalGeneration",
    arguments={
        "normalize_first": True,
        "position_embedding": "sinusoidal_fairseq",
        "position_offset": 2,
        "embedding_layer_norm": False,
        "final_layer_norm": True,
        "share_embeddings": True,
        "tie_output": True,
        "logits_bias": False,
    },
    accepted={
        "add_final_layer_norm": (True,),
        "normalize_before": (True,),
        "normalize_embedding": (False,),
        "static_position_embeddings": (True, False),
        "pad_token_id": (1,),
    },
    unused_positions=2,
    position_name="embed_positions.weights",
)

# M2M100's checkpoints count on these languages having the ids after the vocabulary.
_M2M100_LANGUAGES = {
    "m2m100": (
        "af am ar ast az ba be bg bn br bs ca ceb cs cy da de el en es et fa ff fi fr "
        "fy ga gd gl gu ha he hi hr ht hu hy id ig ilo is it ja jv ka kk km kn ko lb "
        "lg ln lo lt lv mg mk ml mn mr ms my ne nl no ns oc or pa pl ps pt ro ru sd si "
        "sk sl so sq sr ss su sv sw ta th tl tn tr uk ur uz vi wo xh yi yo zh zu"
    ),
    "wmt21": "en ha is ja cs ru zh de",
}
_NLLB_LANGUAGE = re.compile("[a-z]{3}_[A-Z][a-z]{3}")
_NLLB_FIRST = ("<s>", "<pad>", "</s>", "<unk>")


def read_m2m100_tokenizer(folder):
    """Reads the SentencePiece model, the vocabulary and the languages.

    Args:
        folder: `Path` with `sentencepiece.bpe.model` and, for M2M100, `vocab.json`; for
            NLLB, `tokenizer.json`, or the languages under `additional_special_tokens`
            in `special_tokens_map.json` or `tokenizer_config.json`.

    Returns:
        `M2M100Tokenizer`. Its languages are those of `tokenizer_config.json`.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is broken, or names no languages.
    """
    path = folder / SENTENCE_PIECE_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected {SENTENCE_PIECE_FILE} in {folder}: copy it from the checkpoint "
            "that this one was tuned from. Received: none"
        )
    proto = path.read_bytes()
    settings = read_json_if_there(folder, "tokenizer_config.json")
    if (folder / "vocab.json").is_file():
        vocabulary, languages = _m2m100_vocabulary(folder, settings)
    else:
        vocabulary, languages = _nllb_vocabulary(folder, settings, proto)
    extra = [token for token in ("<s>", "<mask>") if token in vocabulary]
    return M2M100Tokenizer(
        proto,
        vocabulary,
        languages,
        settings.get("src_lang"),
        settings.get("tgt_lang"),
        source_language_last=bool(settings.get("legacy_behaviour")),
        extra_special_tokens=extra,
    )


def _m2m100_vocabulary(folder, settings):
    vocabulary = read_json(folder, "vocab.json")
    codes = _M2M100_LANGUAGES[settings.get("language_codes", "m2m100")].split()
    languages = {code: f"__{code}__" for code in codes}
    after = {t: len(vocabulary) + i for i, t in enumerate(languages.values())}
    return {**vocabulary, **after}, languages


def _nllb_vocabulary(folder, settings, proto):
    if (folder / "tokenizer.json").is_file():
        tokenizer = read_json(folder, "tokenizer.json")
        added = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
        vocabulary = {**tokenizer["model"]["vocab"], **added}
    else:
        vocabulary = _nllb_ids(proto, _listed_tokens(folder, settings))
    languages = {t: t for t in vocabulary if _NLLB_LANGUAGE.fullmatch(t)}
    if not languages:
        raise ValueError(
            f"Expected the languages of an NLLB, such as eng_Latn, in tokenizer.json, "
            f"special_tokens_map.json or tokenizer_config.json in {folder}. Received: "
            "none"
        )
    return vocabulary, languages


def _nllb_ids(proto, added):
    """Ids as fairseq gave them: one more than SentencePiece's, then what was added."""
    try:
        model = sentencepiece.SentencePieceProcessor(model_proto=proto)
    except RuntimeError as error:
        raise ValueError(f"{SENTENCE_PIECE_FILE} is broken: {error}") from error
    pieces = [model.id_to_piece(i) for i in range(3, model.vocab_size())]
    tokens = [*_NLLB_FIRST, *pieces, *added, "<mask>"]
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}


def _listed_tokens(folder, settings):
    """Special tokens that the files list, in their order."""
    tokens = read_json_if_there(folder, "special_tokens_map.json")
    for source in (tokens, settings):
        for key in ("additional_special_tokens", "extra_special_tokens"):
            if source.get(key):
                return [t if isinstance(t, str) else t["content"] for t in source[key]]
    return []
