"""Decoding settings in Hugging Face folders."""

import warnings

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
    config = read_json(folder, "config.json")
    settings = DecodingSettings.first_stated(
        read_json_if_there(folder, "generation_config.json"), config
    )
    if config.get("model_type") == "bart":
        _tell_of_another_start(settings, config.get("bos_token_id", 0), folder)
    return settings


def _tell_of_another_start(settings, start, folder):
    """Every prompt of a BART is `</s> <s>` here, as in the published checkpoints."""
    forced = settings.forced_bos_token_id
    if forced != start:
        warnings.warn(
            f"Expected forced_bos_token_id={start} in generation_config.json or "
            f"config.json of a BART. Received in {folder}: {forced!r}. Here each "
            "target begins with </s> <s>; transformers forces no <s> on this "
            f"checkpoint, so that texts may differ. forced_bos_token_id={start} in "
            "generation_config.json makes both the same.",
            stacklevel=2,
        )
