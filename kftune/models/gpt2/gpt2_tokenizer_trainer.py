"""Train a byte-level BPE vocabulary in GPT-2's own files."""

import json
from pathlib import Path

import keras_hub
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from kftune.files import write_aside

END_OF_TEXT = "<|endoftext|>"
_BYTES = 256


def train_gpt2_tokenizer(texts, folder, vocabulary_size=8192):
    """Train a byte-level BPE and write `vocabulary.json` and `merges.txt`.

    As in GPT-2's own vocabulary, the 256 byte symbols come first, then the
    merges in the order they were learnt, and `<|endoftext|>` comes last.

    Args:
        texts: iterable of str.
        folder: str or path, made when missing; takes both files.
        vocabulary_size: int, tokens, bytes and `<|endoftext|>` included.

    Returns:
        The folder's `pathlib.Path`.

    Raises:
        ValueError: If `vocabulary_size` leaves no room for the 256 bytes and
            `<|endoftext|>`.

    Example:
    ```python
    folder = train_gpt2_tokenizer(["low lower lowest"], "vocabulary", 260)
    tokenizer = load_gpt2_tokenizer(folder)
    ```
    """
    if vocabulary_size <= _BYTES:
        raise ValueError(
            f"`vocabulary_size` must be more than {_BYTES}: every byte and "
            f"{END_OF_TEXT!r} have a token. Received: {vocabulary_size}"
        )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size - 1,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _write(json.loads(tokenizer.to_str())["model"], Path(folder))


def load_gpt2_tokenizer(folder):
    """Load what `train_gpt2_tokenizer` wrote.

    Args:
        folder: str or path with `vocabulary.json` and `merges.txt`.

    Returns:
        `keras_hub.tokenizers.GPT2Tokenizer`.

    Raises:
        FileNotFoundError: If a file is missing.

    Example:
    ```python
    train_gpt2_tokenizer(texts, "bpe", vocabulary_size=4000)
    tokenizer = load_gpt2_tokenizer("bpe")
    ```
    """
    return keras_hub.tokenizers.GPT2Tokenizer(
        str(Path(folder) / "vocabulary.json"), str(Path(folder) / "merges.txt")
    )


def _write(model, folder):
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {**model["vocab"], END_OF_TEXT: len(model["vocab"])}
    with write_aside(folder / "vocabulary.json") as path:
        path.write_text(json.dumps(vocabulary, ensure_ascii=False), "utf-8")
    merges = [
        pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]
    ]
    with write_aside(folder / "merges.txt") as path:
        path.write_text("\n".join(merges) + "\n", "utf-8")
    return folder
