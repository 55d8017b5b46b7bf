"""Byte-pair vocabularies of GPT-2 and BART in Hugging Face folders."""

from kftune.models.converters.hf_files import read_json
from kftune.models.fast_tokenizers import is_merge_rule


def read_byte_pairs(folder):
    """Reads a byte-level vocabulary and its merges.

    Args:
        folder: `Path` with `vocab.json` and `merges.txt`, or with the `tokenizer.json`
            that transformers 5 writes in their place.

    Returns:
        Tuple of the vocabulary, a dict of token to id, and the merges, a list of `str`.

    Raises:
        FileNotFoundError: if there is neither.
        ValueError: if `tokenizer.json` holds no byte-pair vocabulary.
    """
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
        added = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
        vocabulary = {**model["vocab"], **added}
        merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    return vocabulary, list(filter(is_merge_rule, merges))
