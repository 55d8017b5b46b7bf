"""The Arrow types of columns whose rows are plain Python values."""

import pyarrow as pa

UNFIT = (pa.ArrowException, OverflowError, UnicodeEncodeError)
_EXACT_IN_FLOAT = 2**53


class ColumnTypes:
    """Finds the narrowest types that hold every row, from batch to batch.

    A column of numbers that no type of numbers holds exactly, whole ones of more than
    64 bits, or of more than 53 beside fractions, is one of strings: they are ids.
    """

    def __init__(self):
        self._schema = pa.schema([])
        self._first_lines = {}  # by column, by the name of the kind
        self._ranges = {}  # smallest and largest whole number by column

    def add(self, batch):
        """Takes note of rows.

        Args:
            batch: list of pairs of line number and row, a `dict`.

        Raises:
            ValueError: if a column holds values of several kinds, or what Arrow cannot
                hold; names column and line.
        """
        for line, row in batch:
            for name, value in row.items():
                kinds = self._first_lines.setdefault(name, {})
                kinds.setdefault(type(value).__name__, line)
                if type(value) is int:
                    low, high = self._ranges.get(name, (value, value))
                    self._ranges[name] = min(low, value), max(high, value)
        try:
            fields = [(name, self._batch_type(name, batch)) for name in _names(batch)]
            self._schema = pa.unify_schemas(
                [self._schema, pa.schema(fields)], promote_options="permissive"
            )
        except UNFIT as error:
            raise ValueError(
                "expected values of one kind in each column. Received: "
                f"{self._mixed() or error}"
            ) from None

    def schema(self):
        """The types of all rows so far, as `pyarrow.Schema`."""
        fields = [(f.name, self._number_type(f.name) or f.type) for f in self._schema]
        return pa.schema(fields)

    def _batch_type(self, name, batch):
        """The type of a column by a batch of rows alone."""
        values = [row.get(name) for _, row in batch]
        try:
            return pa.array(values).type
        except UNFIT as error:
            if self._number_type(name):
                return pa.int64()  # `schema` knows better
            alone = [line for line, row in batch if not _fits_alone(row.get(name))]
            where = f"line {alone[0]}" if alone else f"lines {batch[0][0]} and below"
            raise pa.ArrowInvalid(f"{name!r} in {where}: {error}") from None

    def _number_type(self, name):
        """The type of a column of numbers, if some are too long for the usual ones."""
        kinds = self._first_lines[name].keys()
        if name not in self._ranges or kinds - {"NoneType", "int", "float"}:
            return None
        low, high = self._ranges[name]
        if "float" in kinds:
            exact = low >= -_EXACT_IN_FLOAT and high <= _EXACT_IN_FLOAT
            return None if exact else pa.string()
        if low >= -(2**63) and high < 2**63:
            return None
        return pa.uint64() if low >= 0 and high < 2**64 else pa.string()

    def _mixed(self):
        """Which columns hold values of several kinds, and where each kind began."""
        return {
            name: {kind: f"line {line}" for kind, line in kinds.items()}
            for name, kinds in self._first_lines.items()
            if len(kinds.keys() - {"NoneType"}) > 1
            and kinds.keys() - {"NoneType", "int", "float"}
        }


def fitted(row, schema):
    """A row with strings in place of numbers where the schema has strings.

    Args:
        row: `dict`.
        schema: `pyarrow.Schema` of `ColumnTypes`.

    Returns:
        `dict`.
    """
    return {
        name: str(value)
        if isinstance(value, int | float) and schema.field(name).type == pa.string()
        else value
        for name, value in row.items()
    }


def _names(batch):
    return dict.fromkeys(name for _, row in batch for name in row)


def _fits_alone(value):
    try:
        pa.array([value])
    except UNFIT:
        return False
    return True
