"""Byte-pair vocabularies of GPT-2 and BART in Hugging Face folders."""

import math

from kftune.models.converters.hf_files import read_json, read_json_if_there
from kftune.models.fast_tokenizers import is_merge_rule


def read_byte_pairs(folder):
    """Reads a byte-level vocabulary, its merges and the tokens that were added to it.

    Added tokens that the embedding of `config.json` has no rows for are left out.

    Args:
        folder: `Path` with `vocab.json` and `merges.txt`, or with the `tokenizer.json`
            that transformers 5 writes in their place.

    Returns:
        Tuple of the vocabulary, a dict of token to id; the merges, a list of `str`; and
        the added tokens, a list of `str`, which texts hold whole.

    Raises:
        FileNotFoundError: if there is neither.
        ValueError: if `tokenizer.json` holds no byte-pair vocabulary.
    """
    listed = read_json_if_there(folder, "tokenizer.json").get("added_tokens", ())
    added = {token["content"]: token["id"] for token in listed}
    added |= read_json_if_there(folder, "added_tokens.json")
    rows = read_json_if_there(folder, "config.json").get("vocab_size", math.inf)
    added = {token: number for token, number in added.items() if number < rows}
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        vocabulary = read_json(folder, "vocab.json")
        merges = (folder / "merges.txt").read_text("utf-8").split("\n")
    else:
        tokenizer = read_json(folder, "tokenizer.json")
        model = tokenizer["model"]
        if model.get("type") != "BPE":
            raise ValueError(
                f"Expected a BPE vocabulary in {folder / 'tokenizer.json'}. "
                f"Received: {model.get('type')!r}"
            )
        vocabulary = model["vocab"]
        merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    return {**vocabulary, **added}, list(filter(is_merge_rule, merges)), list(added)
