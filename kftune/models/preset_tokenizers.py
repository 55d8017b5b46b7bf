"""Reads tokenizers out of preset folders."""

import keras
import keras_hub

from kftune.models.converters.hf_bart import read_bart_tokenizer
from kftune.models.converters.hf_bert import read_bert_tokenizer
from kftune.models.converters.hf_files import read_json
from kftune.models.converters.hf_gpt2 import read_gpt2_tokenizer
from kftune.models.converters.hf_m2m100 import read_m2m100_tokenizer
from kftune.models.converters.hf_marian import read_marian_tokenizer
from kftune.models.preset_catalog import locate
from kftune.models.preset_files import clear_errors, hugging_face_type

_TOKENIZERS = {
    "bart": read_bart_tokenizer,
    "bert": read_bert_tokenizer,
    "gpt2": read_gpt2_tokenizer,
    "m2m_100": read_m2m100_tokenizer,
    "marian": read_marian_tokenizer,
}


def load_tokenizer(preset, *, offline=False):
    """Loads the tokenizer of a preset.

    Args:
        preset: `str` or `Path`, see `locate`.
        offline: `bool`. True: what is on this machine or an error, no network.

    Returns:
        `keras_hub.tokenizers.Tokenizer`.

    Raises:
        FileNotFoundError: as in `load_backbone`.
        ConnectionError: as in `load_backbone`.
        ValueError: as in `load_backbone`.

    Example:
    ```python
    tokenizer = kftune.models.load_tokenizer("gpt2_tiny_en")
    tokenizer(["A good film."])
    ```
    """
    folder = locate(preset, offline=offline)
    with clear_errors(folder):
        model_type = hugging_face_type(folder)
        if model_type in _TOKENIZERS:
            tokenizer = _TOKENIZERS[model_type](folder)
            _check_ids(tokenizer, folder)
            return tokenizer
        if model_type is not None:
            return keras_hub.models.Tokenizer.from_preset(str(folder))
        saved = read_json(folder, "tokenizer.json")
        tokenizer = keras.saving.deserialize_keras_object(saved)
        tokenizer.load_preset_assets(str(folder))
        return tokenizer


def _check_ids(tokenizer, folder):
    """Refuses a vocabulary that the embedding has not enough rows for.

    `<mask>` may be beyond: BART's summarisers were published without its row.
    """
    config = read_json(folder, "config.json")
    sizes = [config.get(name) for name in ("vocab_size", "decoder_vocab_size")]
    rows = max(size for size in sizes if size is not None)
    beyond = map(tokenizer.id_to_token, range(rows, tokenizer.vocabulary_size()))
    extra = [token for token in beyond if token != "<mask>"]
    if extra:
        raise ValueError(
            f"Expected a vocabulary of at most {rows} tokens, as config.json tells. "
            f"Received {len(extra)} more: {', '.join(map(repr, extra[:5]))}"
        )
