"""Hugging Face folders with a BART."""

import keras_hub

from kftune.models.converters.encoder_decoder_format import EncoderDecoderFormat
from kftune.models.converters.hf_byte_pairs import read_byte_pairs
from kftune.models.converters.hf_cutting import byte_level_options
from kftune.models.converters.hf_files import read_json

BART = EncoderDecoderFormat(
    model_type="bart",
    architecture="BartForConditionalGeneration",
    arguments={
        "normalize_first": False,
        "position_embedding": "learned",
        "position_offset": 0,
        "embedding_layer_norm": True,
        "final_layer_norm": False,
        "share_embeddings": True,
        "tie_output": True,
        "logits_bias": True,
    },
    accepted={
        "add_bias_logits": (False,),
        "add_final_layer_norm": (False,),
        "normalize_before": (False,),
        "normalize_embedding": (True,),
        "static_position_embeddings": (False,),
    },
    unused_positions=2,
)
_NEVER_CUT = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def read_bart_tokenizer(folder):
    """Reads BART's vocabulary and merges.

    Args:
        folder: `Path` with `vocab.json` and `merges.txt`, or with `tokenizer.json`.

    Returns:
        `keras_hub.models.BartTokenizer`.

    Raises:
        FileNotFoundError: if there is neither.
        ValueError: if `tokenizer.json` holds no byte-pair vocabulary, or cuts texts
            otherwise than BART does, or if targets start with another token.
    """
    config = read_json(folder, "config.json")
    rows = config["vocab_size"]
    vocabulary, merges, added = read_byte_pairs(folder)
    special = [t for t in _NEVER_CUT if vocabulary.get(t, rows) < rows]
    never_cut = list(dict.fromkeys([*special, *added]))
    tokenizer = keras_hub.models.BartTokenizer(
        vocabulary, merges, unsplittable_tokens=never_cut, **byte_level_options(folder)
    )
    end = tokenizer.end_token_id
    start = config.get("decoder_start_token_id", end)
    if start != end:
        raise ValueError(
            f"Expected a BART whose targets start with the end token, {end}. Received "
            f"in {folder}: decoder_start_token_id={start!r}"
        )
    return tokenizer
