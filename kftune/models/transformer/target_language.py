"""How a model that knows several languages is told into which it translates."""

import contextlib

import tensorflow as tf

from kftune.models.texts import as_texts
from kftune.models.tokenizers.m2m100_tokenizer import M2M100Tokenizer
from kftune.models.tokenizers.marian_tokenizer import MarianTokenizer


@contextlib.contextmanager
def into_language(preprocessor, inputs, code):
    """Tells the language for a while.

    Marian models find a tag such as `>>de<<` before the source; with M2M100 and NLLB
    the target begins with the language.

    Args:
        preprocessor: `TransformerSeq2SeqLMPreprocessor` or `None`.
        inputs: what `generate` takes.
        code: `str` or `None` to change nothing.

    Yields:
        The inputs as the model needs them.

    Raises:
        ValueError: if the tokenizer knows no languages, or not this one.

    Example:
    ```python
    with into_language(task.preprocessor, ["Good morning."], "de") as sources:
        rows = task.preprocessor.tokenize_rows(sources, "source")  # >>de<< first
    ```
    """
    tokenizer = getattr(preprocessor, "tokenizer", None)
    if code is None:
        yield inputs
    elif isinstance(tokenizer, M2M100Tokenizer):
        before = tokenizer.target_language
        tokenizer.target_language = code
        try:
            yield inputs
        finally:
            tokenizer.target_language = before
    else:
        yield _tagged(inputs, _tag(tokenizer, code))


def _tag(tokenizer, code):
    tags = []
    if isinstance(tokenizer, MarianTokenizer):
        tags = tokenizer.language_codes
    if f">>{code}<<" not in tags:
        known = [tag[2:-2] for tag in tags] or "no languages"
        raise ValueError(
            f"Expected a target_language that the tokenizer knows: {known}. Received: "
            f"{code!r} for {type(tokenizer).__name__}"
        )
    return f">>{code}<< "


def _tagged(inputs, tag):
    """The same inputs with a tag before each source."""
    if isinstance(inputs, tf.data.Dataset):
        return inputs.map(lambda batch: _tagged(batch, tag))
    if isinstance(inputs, dict):
        return {**inputs, "encoder_text": _tagged(inputs["encoder_text"], tag)}
    if tf.is_symbolic_tensor(inputs):
        return tf.strings.join([tag, inputs])
    texts, several = as_texts(inputs)
    texts = [tag + text for text in texts]
    return texts if several else texts[0]
