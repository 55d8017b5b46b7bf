"""Hugging Face folders with a Marian model, as OPUS-MT publishes them."""

from kftune.models.converters.encoder_decoder_format import EncoderDecoderFormat
from kftune.models.converters.hf_files import read_json, read_json_if_there
from kftune.models.tokenizers.marian_tokenizer import MarianTokenizer

MARIAN = EncoderDecoderFormat(
    model_type="marian",
    architecture="MarianMTModel",
    arguments={
        "normalize_first": False,
        "position_embedding": "sinusoidal",
        "position_offset": 0,
        "embedding_layer_norm": False,
        "final_layer_norm": False,
        "tie_output": True,
        "logits_bias": True,
    },
    accepted={
        "add_bias_logits": (False,),
        "add_final_layer_norm": (False,),
        "normalize_before": (False,),
        "normalize_embedding": (False,),
        "static_position_embeddings": (True,),
    },
    separate_vocabularies=True,
)


def read_marian_tokenizer(folder):
    """Reads the SentencePiece models and the vocabulary.

    Args:
        folder: `Path` with `source.spm`, `target.spm`, `vocab.json`, `config.json` and,
            if the target has a vocabulary of its own, `target_vocab.json`.

    Returns:
        `MarianTokenizer`, whose special tokens are those of `config.json`.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is broken, or a special token is not in the vocabulary.
    """
    config = read_json(folder, "config.json")
    settings = read_json_if_there(folder, "tokenizer_config.json")
    separate = bool(settings.get("separate_vocabs"))
    source = read_json(folder, "vocab.json")
    target = read_json(folder, "target_vocab.json") if separate else source
    pad = config.get("pad_token_id")
    tokenizer = MarianTokenizer(
        has_target_vocabulary=separate,
        start_token=_token(config.get("decoder_start_token_id", pad), target, folder),
        end_token=_token(config.get("eos_token_id", 0), source, folder),
        pad_token=_token(pad, source, folder),
    )
    tokenizer.load_assets(folder)
    return tokenizer


def _token(token_id, vocabulary, folder):
    """The token that config.json names by its id."""
    tokens = {value: token for token, value in vocabulary.items()}
    if token_id not in tokens:
        raise ValueError(
            "Expected decoder_start_token_id, eos_token_id and pad_token_id in "
            f"config.json that are in the vocabulary of {folder}. Received: "
            f"{token_id!r}"
        )
    return tokens[token_id]
