"""Rows of text files as Arrow files, mapped into memory and kept for the next time."""

import hashlib
import itertools
import json

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset

from kftune.data.column_types import UNFIT, ColumnTypes, fitted
from kftune.data.text_lines import open_binary, telling_damage
from kftune.files import keras_cache, write_aside

# Raise it whenever a reader's output changes, so that no old cache is served.
_LAYOUT = 2
_ROWS_PER_BATCH = 1000


def dataset_from_rows(read_rows, paths, settings):
    """Makes a dataset from a row generator, or takes it from the cache.

    The cache goes by the content of the files, so a file that was changed is read
    anew, and one that was only moved is not.

    Args:
        read_rows: function without arguments that returns a fresh iterator over pairs
            of line number and row, such as those of `kftune.data.row_readers`.
        paths: sequence of `Path`. The files it reads.
        settings: `dict`, JSON-serialisable. Everything else its rows depend on.

    Returns:
        `datasets.Dataset`.

    Raises:
        ValueError: if there are no rows, or a column mixes kinds of values.
    """

    def write(file):
        schema = _schema(read_rows(), paths)
        with pa.ipc.new_stream(file, schema) as writer:
            for batch in _batched(read_rows()):
                writer.write_batch(_record_batch(batch, schema, paths))

    return cached_dataset(write, _key(paths, settings))


def dataset_from_parquet(path):
    """Makes a dataset from a parquet file, compressed as a whole or not.

    Args:
        path: `Path`.

    Returns:
        `datasets.Dataset`.

    Raises:
        ValueError: if the file is empty or no parquet file.
    """

    def write(file):
        with open_binary(path) as binary:
            parquet = pq.ParquetFile(binary)
            if not parquet.metadata.num_rows:
                raise _no_rows([path])
            schema = _without_dictionaries(parquet.schema_arrow)
            with pa.ipc.new_stream(file, schema) as writer:
                for batch in parquet.iter_batches():
                    writer.write_batch(batch.cast(schema))

    expected = f"{path}: expected a whole parquet file"
    try:
        with telling_damage(lambda: expected):
            return cached_dataset(write, _key([path], {"format": "parquet"}))
    except pa.ArrowException as error:
        raise ValueError(f"{expected}. Received: {error}") from error


def cached_dataset(write, parts):
    """Has `write` fill an Arrow file unless the same input filled it before.

    Args:
        write: function that writes an Arrow stream into the file object it gets.
        parts: list of JSON's types: all that decides what it writes.

    Returns:
        `datasets.Dataset`.
    """
    key = json.dumps([_LAYOUT, *parts], sort_keys=True)
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    arrow = keras_cache("data", name, "rows.arrow")
    if not arrow.exists():
        with write_aside(arrow) as aside, pa.OSFile(str(aside), "wb") as file:
            write(file)
    return Dataset.from_file(str(arrow))


def _key(paths, settings):
    """The files' content and all that decides how they are read."""
    digests = []
    for path in paths:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return [settings, *digests]


def _schema(rows, paths):
    """The narrowest Arrow types that hold every row."""
    types = ColumnTypes()
    for batch in _batched(rows):
        try:
            types.add(batch)
        except ValueError as error:
            raise ValueError(f"{_names(paths)}: {error}") from None
    schema = types.schema()
    if not schema.names:
        raise _no_rows(paths)
    return schema


def _record_batch(batch, schema, paths):
    """Rows as Arrow has them; only nested values can be found unfit so late."""
    rows = [fitted(row, schema) for _, row in batch]
    try:
        return pa.RecordBatch.from_pylist(rows, schema)
    except UNFIT as error:
        raise ValueError(
            f"{_names(paths)}, lines {batch[0][0]} to {batch[-1][0]}: expected values "
            f"that fit in the types of all lines. Received: {error}"
        ) from None


def _no_rows(paths):
    return ValueError(f"Expected rows of data. Received: {_names(paths)} without any.")


def _without_dictionaries(schema):
    """Plain types in place of dictionary-encoded ones, which datasets cannot read."""
    for i, field in enumerate(schema):
        if pa.types.is_dictionary(field.type):
            schema = schema.set(i, field.with_type(field.type.value_type))
    return schema


def _names(paths):
    return " and ".join(str(path) for path in paths)


def _batched(items):
    """Lists of up to `_ROWS_PER_BATCH` items."""
    items = iter(items)
    while batch := list(itertools.islice(items, _ROWS_PER_BATCH)):
        yield batch
