"""From splits of text pairs to the batches that an encoder-decoder is trained on."""

from kftune.data import PairBuckets, tokenize_pairs


def pair_batches(task, splits, **options):
    """Tokenises text pairs once and batches them by the lengths of both sides.

    Args:
        task: `kftune.models.TransformerSeq2SeqLM` with a preprocessor.
        splits: dict of name to `datasets.Dataset` with the columns `source` and
            `target`.
        **options: of `kftune.data.PairBuckets`: `batch_size` or `max_tokens`, `seed`.

    Returns:
        Dict of name to `kftune.data.PairBuckets`. `"train"` is shuffled; the others are
        not.

    Example:
    ```python
    batches = kftune.training.pair_batches(task, splits, max_tokens=8192)
    task.fit(batches["train"], validation_data=batches["validation"], shuffle=False)
    ```
    """
    pad_token_id = task.preprocessor.tokenizer.pad_token_id
    tokens = {
        name: tokenize_pairs(pairs, task.preprocessor) for name, pairs in splits.items()
    }
    return {
        name: PairBuckets(
            rows["source_token_ids"],
            rows["target_token_ids"],
            shuffle=name == "train",
            pad_token_id=pad_token_id,
            **options,
        )
        for name, rows in tokens.items()
    }
