"""From splits of text pairs to the batches that an encoder-decoder is trained on."""

from datasets import Dataset

from kftune.data import PairBuckets, tokenize_pairs
from kftune.models import into_language
from kftune.training.check_splits import check_splits
from kftune.training.full_rows import tell_full_rows


def pair_batches(task, splits, *, target_language=None, **options):
    """Tokenises text pairs once and batches them by the lengths of both sides.

    How many texts are longer than the model reads is printed.

    Args:
        task: `kftune.models.TransformerSeq2SeqLM` with a preprocessor.
        splits: `datasets.DatasetDict` of `kftune.data.split`, or `dict` of name to
            columns: `source` and `target`, N str.
        target_language: str or `None`. The language of the targets, for a model that
            is told, as by `generate`.
        **options: of `kftune.data.PairBuckets`: `batch_size` or `max_tokens`, `seed`.

    Returns:
        Dict of name to `kftune.data.PairBuckets`. `"train"` is shuffled; the others
        keep their order.

    Raises:
        TypeError: if the splits are no dict of columns.
        ValueError: if columns are missing, or if the tokenizer knows no languages, or
            not this one.

    Example:
    ```python
    batches = kftune.training.pair_batches(task, splits, max_tokens=4096)
    task.fit(batches["train"], validation_data=batches["validation"], shuffle=False)
    ```
    """
    check_splits(splits, source="source", target="target")
    preprocessor, tokenizer = task.preprocessor, task.preprocessor.tokenizer

    def batched(name, rows):
        sources, targets = rows["source"][:], rows["target"][:]
        with into_language(preprocessor, sources, target_language) as told:
            pairs = Dataset.from_dict({"source": told, "target": targets})
            tokens = tokenize_pairs(pairs, preprocessor)
        tell_full_rows(
            name,
            sources=(tokens["source_token_ids"], preprocessor.encoder_sequence_length),
            targets=(
                tokens["target_token_ids"],
                preprocessor.decoder_sequence_length + 1,
            ),
        )
        return PairBuckets(
            tokens["source_token_ids"],
            tokens["target_token_ids"],
            shuffle=name == "train",
            pad_token_id=tokenizer.pad_token_id,
            target_pad_token_id=getattr(tokenizer, "target_pad_token_id", None),
            **options,
        )

    return {name: batched(name, rows) for name, rows in splits.items()}
