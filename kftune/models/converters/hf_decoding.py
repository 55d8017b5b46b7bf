"""Decoding settings in Hugging Face folders."""

from kftune.models.converters.hf_files import read_json, read_json_if_there
from kftune.models.decoding_settings import DecodingSettings


def read_decoding_settings(folder):
    """Reads how a checkpoint wants its texts to be decoded.

    Args:
        folder: `Path` with `config.json`, and `generation_config.json` if it was
            written by a recent transformers.

    Returns:
        `DecodingSettings`, each one from `generation_config.json` if it is there, else
        from `config.json`.

    Raises:
        FileNotFoundError: if there is no `config.json`.
        ValueError: if a file is broken.
    """
    return DecodingSettings.first_stated(
        read_json_if_there(folder, "generation_config.json"),
        read_json(folder, "config.json"),
    )
