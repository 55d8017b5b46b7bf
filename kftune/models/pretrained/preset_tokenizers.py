"""Reads tokenizers out of preset folders."""

import functools

import keras_hub

from kftune.models.converters.hf_bart import read_bart_tokenizer
from kftune.models.converters.hf_bert import read_bert_tokenizer
from kftune.models.converters.hf_gpt2 import read_gpt2_tokenizer
from kftune.models.converters.hf_m2m100 import read_m2m100_tokenizer
from kftune.models.converters.hf_marian import read_marian_tokenizer
from kftune.models.pretrained.preset_catalog import locate
from kftune.models.pretrained.preset_files import clear_errors
from kftune.models.pretrained.preset_readers import TOKENIZER_READERS, read_tokenizer

TOKENIZER_READERS.update(
    {
        "bart": read_bart_tokenizer,
        "bert": read_bert_tokenizer,
        "distilbert": functools.partial(
            read_bert_tokenizer, cls=keras_hub.models.DistilBertTokenizer
        ),
        "gpt2": read_gpt2_tokenizer,
        "m2m_100": read_m2m100_tokenizer,
        "marian": read_marian_tokenizer,
    }
)


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
        return read_tokenizer(folder)
