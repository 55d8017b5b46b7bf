"""Reads and writes all tensors of a checkpoint by one table."""

import dataclasses
import re

import numpy as np
import safetensors.numpy

from kftune.models.converters.hf_files import (
    WEIGHTS_FILE,
    read_tensor,
    safetensors_folder,
    tensor_shapes,
)

# A computed table in float16, or computed in float32 by another library.
_COMPUTED_TOLERANCE = 1e-3


@dataclasses.dataclass(frozen=True)
class TensorTable:
    """All tensors of a checkpoint, for reading and for writing.

    Attributes:
        rows: list of `TensorRow`.
        prefix: `str` that names in the file may have or lack.
        computed: list of `ComputedTensor`, which may be missing and are never written.
        ignored: `str`, regular expression of names, without prefix, that are no
            weights of this model and may be there.

    Example:
    ```python
    table = TensorTable(
        [TensorRow("model.embed.weight", (embedding,), "embeddings", input_axes=1)],
        prefix="model.",
    )
    load_tensors(table, Path("checkpoint"))
    save_tensors(table, Path("copy"))
    ```
    """

    rows: list
    prefix: str
    computed: list = dataclasses.field(default_factory=list)
    ignored: str = "(?!)"

    def bare(self, name):
        """Gives a name without the prefix.

        Args:
            name: `str`.

        Returns:
            `str`.
        """
        return name.removeprefix(self.prefix)


def load_tensors(table, folder):
    """Loads a checkpoint into the layers of a table, if all of it fits.

    Args:
        table: `TensorTable`.
        folder: `Path` with safetensors or `pytorch_model.bin`.

    Raises:
        FileNotFoundError: if there are no weights to read.
        ValueError: if tensors are missing, of another shape, foreign to the model, or
            tied and different; lists all of them. No weight was changed then.
    """
    with safetensors_folder(folder) as readable:
        found = {table.bare(name): name for name in tensor_shapes(readable)}
        file = _File(readable, found)
        wrong = [*_wrong_rows(table, file), *_foreign(table, found)]
        if wrong:
            raise ValueError(
                f"Expected the tensors that config.json in {folder} tells of. "
                f"{len(wrong)} do not fit:\n  " + "\n  ".join(wrong)
            )
        for row in table.rows:
            names = file.present(table, row)
            if names:
                row.assign(file.read(names[0]))


def save_tensors(table, folder):
    """Writes the weights of the layers of a table as safetensors.

    Args:
        table: `TensorTable`.
        folder: `Path`, which exists.
    """
    tensors = {row.name: row.tensor() for row in table.rows}
    safetensors.numpy.save_file(
        tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"}
    )


class _File:
    """The tensors of a checkpoint under their names without prefix."""

    def __init__(self, folder, names):
        self._folder = folder
        self.names = names
        shapes = tensor_shapes(folder)
        self.shapes = {bare: shapes[name] for bare, name in names.items()}

    def read(self, bare):
        return read_tensor(self._folder, self.names[bare])

    def present(self, table, row):
        """Under which of its names a row is there."""
        names = (table.bare(name) for name in (row.name, *row.copies))
        return [name for name in names if name in self.shapes]

    def wrong_shapes(self, names, shape):
        for name in names:
            if self.shapes[name] != shape:
                yield (
                    f"{self.names[name]}: expected {shape}, received "
                    f"{self.shapes[name]}"
                )


def _wrong_rows(table, file):
    """What does not fit of the tensors that the model has."""
    # An optional module is there as a whole or not at all.
    begun = {_module(r) for r in table.rows if r.optional and file.present(table, r)}
    for row in table.rows:
        names = file.present(table, row)
        if not names and (not row.optional or _module(row) in begun):
            yield f"{row.name}: expected {row.shape}, received nothing"
        wrong = list(file.wrong_shapes(names, row.shape))
        yield from wrong or _different_copies(names, file)
    for computed in table.computed:
        name = table.bare(computed.name)
        if name in file.shapes:
            wrong = list(file.wrong_shapes([name], computed.shape))
            yield from wrong or _wrong_numbers(name, computed, file)


def _module(row):
    return row.name.rpartition(".")[0]


def _different_copies(names, file):
    if len(names) < 2:
        return
    first = file.read(names[0])
    for name in names[1:]:
        if not np.array_equal(first, file.read(name)):
            yield (
                f"{file.names[name]}: expected the numbers of {file.names[names[0]]}, "
                "received others"
            )


def _wrong_numbers(name, computed, file):
    tensor = file.read(name)[computed.unused_rows :].astype("float32")
    difference = float(np.max(np.abs(tensor - computed.values)))
    if not difference <= _COMPUTED_TOLERANCE:
        yield (
            f"{file.names[name]}: expected what its formula gives, received numbers "
            f"that differ by {difference:.3g}"
        )


def _foreign(table, found):
    """Tensors that the model does not have."""
    known = {
        table.bare(name)
        for row in (*table.rows, *table.computed)
        for name in (row.name, *getattr(row, "copies", ()))
    }
    for bare, name in found.items():
        if bare not in known and not re.fullmatch(table.ignored, bare):
            yield f"{name}: expected no such tensor"
