"""The option --source-language of commands that translate."""


def add_source_language(parser):
    """Add the option to an `argparse` parser."""
    parser.add_argument(
        "--source-language",
        metavar="CODE",
        help="such as en, for M2M100 and NLLB, if the model's folder does not tell",
    )


def set_source_language(task, code):
    """Tell a model in which language the sources are.

    Args:
        task: `TransformerSeq2SeqLM`.
        code: `str`, or `None` if the option was not given.

    Raises:
        ValueError: if the model is not told the language of a source, or does not know
            this one.
    """
    if code is None:
        return
    tokenizer = getattr(task.preprocessor, "tokenizer", None)
    if not hasattr(tokenizer, "source_language"):
        raise ValueError(
            "Expected --source-language with M2M100 and NLLB only, which are told it. "
            f"Received: {code!r} with a {type(tokenizer).__name__}"
        )
    tokenizer.source_language = code
