"""From splits of texts to the batches that a causal language model is trained on."""

from kftune.data import TextBuckets


def text_batches(task, splits, *, text="text", answer=None, **options):
    """Tokenises texts, or prompts and answers, once and batches them by length.

    Args:
        task: `kftune.models.GPT2CausalLM` with a preprocessor.
        splits: `datasets.DatasetDict` of `kftune.data.split`, or `dict` of name to
            columns of N str.
        text: str, the column of the texts, or of the prompts if there are answers.
        answer: str or `None`. The column of the answers, which alone are learnt.
        **options: of `kftune.data.TextBuckets`: `batch_size` or `max_tokens`, `seed`.

    Returns:
        Dict of name to `kftune.data.TextBuckets`. `"train"` is shuffled; the others
        keep their order.

    Example:
    ```python
    batches = kftune.training.text_batches(
        task, splits, text="question", answer="answer", max_tokens=4096
    )
    task.fit(batches["train"], validation_data=batches["validation"], shuffle=False)
    ```
    """
    tokenize = task.preprocessor.tokenize_rows

    def tokens(rows):
        if answer is None:
            return (tokenize(rows[text]),)
        return tokenize(rows[text], rows[answer])

    return {
        name: TextBuckets(
            *tokens(rows),
            shuffle=name == "train",
            pad_token_id=task.preprocessor.tokenizer.pad_token_id,
            **options,
        )
        for name, rows in splits.items()
    }
