"""Languages of translations inside the graph of a SavedModel, one a row."""

import tensorflow as tf

from kftune.models.tokenizers.m2m100_tokenizer import M2M100Tokenizer
from kftune.models.tokenizers.marian_tokenizer import MarianTokenizer
from kftune.models.transformer.target_language import into_language

_IDS = "decoder_token_ids"


def known_languages(tokenizer):
    """Tells into which languages a tokenizer can be told to translate.

    Args:
        tokenizer: a `keras_hub.tokenizers.Tokenizer`.

    Returns:
        Sorted list of `str`, codes such as `"de"`; empty if it knows one language only.

    Example:
    ```python
    known_languages(kftune.models.load_tokenizer("transformer_tiny_en_de"))
    # ["de", "en"]
    ```
    """
    if isinstance(tokenizer, MarianTokenizer):
        return [code[2:-2] for code in tokenizer.language_codes]
    return sorted(getattr(tokenizer, "language_tokens", ()))


def rows_into(preprocessor, text, codes):
    """Tokenises sources, each with the language of its translation.

    Args:
        preprocessor: `kftune.models.TransformerSeq2SeqLMPreprocessor` with a
            `MarianTokenizer` or an `M2M100Tokenizer`.
        text: string tensor `(B,)`, valid UTF-8.
        codes: string tensor `(B,)`, each one of `known_languages`; others end the call
            with an error that names them.

    Returns:
        Dict as from `generate_preprocess`.
    """
    tokenizer = preprocessor.tokenizer
    known = known_languages(tokenizer)
    with tf.control_dependencies([_check(codes, known)]):
        codes = tf.identity(codes)
    if not isinstance(tokenizer, M2M100Tokenizer):
        tagged = tf.strings.join([">>", codes, "<< ", text])
        return preprocessor.generate_preprocess(tagged)
    with into_language(preprocessor, text, known[0]) as told:
        rows = preprocessor.generate_preprocess(told)
        place = len(tokenizer.target_start_ids) - 1
    ids = [tokenizer.token_to_id(tokenizer.language_tokens[code]) for code in known]
    chosen = tf.argmax(codes[:, None] == tf.constant(known), axis=1)
    is_place = tf.range(tf.shape(rows[_IDS])[1])[None] == place
    languages = tf.gather(tf.constant(ids, tf.int32), chosen)[:, None]
    return {**rows, _IDS: tf.where(is_place, languages, rows[_IDS])}


def _check(codes, known):
    is_known = tf.reduce_any(codes[:, None] == tf.constant(known), axis=1)
    return tf.debugging.Assert(
        tf.reduce_all(is_known),
        [
            f"Expected a target_language of: {', '.join(known)}. Received:",
            tf.boolean_mask(codes, ~is_known),
        ],
    )
