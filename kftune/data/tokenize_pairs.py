"""Text pairs as rows of token ids, made once and kept for the next time."""

import hashlib

import numpy as np
import pyarrow as pa

from kftune.data.arrow_cache import cached_dataset
from kftune.data.same_text import text_columns

_SIDES = ("source", "target")
_PAIRS_AT_ONCE = 10_000
_SCHEMA = pa.schema(
    [(f"{side}_token_ids", pa.list_(pa.int32())) for side in _SIDES],
)


def tokenize_pairs(rows, preprocessor, *, alpha=None, seed=0):
    """Tokenises sources and targets for `PairBuckets`.

    What was made is kept as an Arrow file below `<Keras home>/kftune/data`, keyed by
    the texts, the tokenizer's files and all settings, and mapped into memory from
    there: the second time nothing is tokenised.

    For subword regularisation, tokenise once for each pass over the data, with another
    `seed`, and put the passes together with `EndlessBatches`.

    Args:
        rows: `datasets.Dataset` with the text columns `source` and `target`.
        preprocessor: `kftune.models.TransformerSeq2SeqLMPreprocessor`, whose lengths
            cut the rows; or another object with its `tokenize_rows` and `fingerprint`.
        alpha: `float` to cut texts at random, see
            `kftune.models.MarianTokenizer.sample`; or `None` for the best way.
        seed: `int`, 0 or more. Of the cuts.

    Returns:
        `datasets.Dataset` with the columns `source_token_ids` and `target_token_ids`,
        lists of int32, start and end tokens among them.

    Raises:
        TypeError: if texts are to be cut at random and the tokenizer cannot.
        ValueError: if a column is missing or holds no strings, or a text is `None`.

    Example:
    ```python
    tokens = kftune.data.tokenize_pairs(rows, task.preprocessor)
    data = kftune.data.PairBuckets(
        tokens["source_token_ids"], tokens["target_token_ids"], max_tokens=8192
    )
    ```
    """
    rows = rows.select_columns(text_columns(rows, _SIDES))

    def tokens(side, texts, number):
        spawned = np.random.SeedSequence([seed, number, _SIDES.index(side)])
        one = int(spawned.generate_state(1)[0])
        made = preprocessor.tokenize_rows(texts, side, alpha=alpha, seed=one)
        return pa.array(made, pa.list_(pa.int32()))

    def write(file):
        with pa.ipc.new_stream(file, _SCHEMA) as writer:
            for number, batch in enumerate(rows.iter(_PAIRS_AT_ONCE)):
                columns = [tokens(side, batch[side], number) for side in _SIDES]
                writer.write_batch(pa.record_batch(columns, _SCHEMA))

    cuts = None if alpha is None else [alpha, seed]
    return cached_dataset(write, [_digest(rows), preprocessor.fingerprint(), cuts])


def _digest(rows):
    """Hash over all texts."""
    digest, first = hashlib.sha256(), 0
    for table in rows.with_format("arrow").iter(_PAIRS_AT_ONCE):
        for side in _SIDES:
            texts = table.column(side)
            if texts.null_count:
                missing = first + texts.is_null().to_numpy().argmax()
                raise ValueError(
                    f"Expected a {side} in every row. Received None in row {missing}. "
                    "kftune.data.clean_pairs drops such rows."
                )
            for text in texts.to_pylist():
                encoded = text.encode()
                digest.update(len(encoded).to_bytes(8, "little") + encoded)
        first += len(table)
    return digest.hexdigest()
