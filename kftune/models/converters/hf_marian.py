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
        `MarianTokenizer`, whose start token is that of the model.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is broken, or the start token is not in the vocabulary.
    """
    settings = read_json_if_there(folder, "tokenizer_config.json")
    separate = bool(settings.get("separate_vocabs"))
    vocabulary = read_json(folder, "target_vocab.json" if separate else "vocab.json")
    tokenizer = MarianTokenizer(
        has_target_vocabulary=separate,
        start_token=_start_token(read_json(folder, "config.json"), vocabulary, folder),
    )
    tokenizer.load_assets(folder)
    return tokenizer


def _start_token(config, vocabulary, folder):
    tokens = {token_id: token for token, token_id in vocabulary.items()}
    start = config.get("decoder_start_token_id", config.get("pad_token_id"))
    if start not in tokens:
        raise ValueError(
            f"Expected a decoder_start_token_id in config.json that is in the "
            f"vocabulary of {folder}. Received: {start!r}"
        )
    return tokens[start]
