"""From splits of texts to the batches that a causal language model is trained on."""

from kftune.data import TextBuckets, chunk_rows
from kftune.training.check_splits import check_splits


def text_batches(task, splits, *, text="text", answer=None, overlap=None, **options):
    """Tokenises texts, or prompts and answers, once and batches them by length.

    Args:
        task: `kftune.models.GPT2CausalLM` with a preprocessor.
        splits: `datasets.DatasetDict` of `kftune.data.split`, or `dict` of name to
            columns of N str.
        text: str, the column of the texts, or of the prompts if there are answers.
        answer: str or `None`. The column of the answers, which alone are learnt.
        overlap: int or `None`. A long text is cut into chunks of the preprocessor's
            length, which see so many learnt tokens of the one before again, from 0;
            `None`: it loses its end.
        **options: of `kftune.data.TextBuckets`: `batch_size` or `max_tokens`, `seed`,
            `pack_to`.

    Returns:
        Dict of name to `kftune.data.TextBuckets`. `"train"` is shuffled; the others
        keep their order.

    Raises:
        TypeError: if the splits are no dict of columns.
        ValueError: if answers are to be chunked, if columns are missing, or as in
            `kftune.data.TextBuckets`.

    Example:
    ```python
    batches = kftune.training.text_batches(
        task, splits, text="question", answer="answer", max_tokens=4096
    )
    task.fit(batches["train"], validation_data=batches["validation"], shuffle=False)
    ```
    """
    if answer is not None and overlap is not None:
        raise ValueError(
            "Expected texts without answers to cut into chunks. Received: "
            f"answer={answer!r}, overlap={overlap}"
        )
    check_splits(splits, text=text, answer=answer)
    preprocessor = task.preprocessor

    def tokens(rows):
        if answer is not None:
            return preprocessor.tokenize_rows(rows[text], rows[answer])
        if overlap is None:
            return (preprocessor.tokenize_rows(rows[text]),)
        whole = preprocessor.tokenize_rows(rows[text], cut=False)
        return chunk_rows(whole, preprocessor.sequence_length + 1, overlap=overlap)

    return {
        name: TextBuckets(
            *tokens(rows),
            shuffle=name == "train",
            pad_token_id=preprocessor.tokenizer.pad_token_id,
            **options,
        )
        for name, rows in splits.items()
    }
