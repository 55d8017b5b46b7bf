"""Parts for training, validation and test that share neither a text nor a group."""

import hashlib
import warnings
from collections import Counter, defaultdict

from datasets import DatasetDict

from kftune.data.labels import is_list_or_float
from kftune.data.row_keys import row_keys
from kftune.data.same_text import fingerprint, text_columns

_FAR_OFF = 0.05


def split(
    dataset,
    validation=0.1,
    test=0.1,
    *,
    stratify_by="label",
    group_by="group",
    columns=None,
    seed=0,
):
    """Splits rows into `train`, `validation` and `test`.

    Rows that share a group or a text (case and white space aside; in parallel text, a
    source or a target) stay together. Within that, each class has the same share of
    every part, as far as whole rows allow. The outcome depends on the rows and the seed
    alone: not on the machine, the order of the rows or the version of a library.

    Args:
        dataset: `datasets.Dataset`.
        validation: `float` in [0, 1). Share of the rows; 0 leaves the part out.
        test: `float` in [0, 1). Share of the rows; 0 leaves the part out.
        stratify_by: `str` or `None`. Column of the classes. The default is ignored if
            the dataset has no such column; lists and floating-point numbers are not
            stratified.
        group_by: `str` or `None`. Rows with one value of this column stay together;
            `None`, blank and NaN are no value. The default is ignored if the dataset
            has no such column.
        columns: sequence of `str`. The text columns; `None` takes `text`,
            or `source` and `target`.
        seed: `int`.

    Returns:
        `datasets.DatasetDict`. Rows keep their order in each part.

    Raises:
        ValueError: if the shares do not leave a training part, a column is missing, or
            the rows are too few for the parts.

    Example:
    ```python
    from datasets import Dataset
    from kftune.data import split

    texts = [f"Review number {i}" for i in range(100)]
    rows = Dataset.from_dict({"text": texts, "label": [0, 1] * 50})
    splits = split(rows, validation=0.1, test=0.2, seed=0)
    splits["test"].num_rows  # 20
    ```
    """
    shares = _shares(validation, test)
    stratify_by = _column(dataset, stratify_by, default="label")
    group_by = _column(dataset, group_by, default="group")
    if stratify_by and is_list_or_float(dataset.features[stratify_by]):
        stratify_by = None
    classes = dataset[stratify_by] if stratify_by else [None] * len(dataset)
    bundles = _bundles(dataset, text_columns(dataset, columns), group_by, seed)
    parts = _assign(bundles, [str(value) for value in classes], shares)
    _check_sizes(parts, shares, bundles)
    return DatasetDict(
        {name: dataset.select(sorted(rows)) for name, rows in parts.items()}
    )


def _shares(validation, test):
    """The share of each part that was asked for; they sum up to 1."""
    if not (0 <= validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise ValueError(
            "Expected shares from 0 to below 1 that leave some rows for training. "
            f"Received: validation={validation}, test={test}"
        )
    shares = {"train": 1 - validation - test, "validation": validation, "test": test}
    return {name: share for name, share in shares.items() if share}


def _column(dataset, name, default):
    """A column's name, or None if it was left out or is a default that is not there."""
    if name in dataset.features:
        return name
    if name not in (None, default):
        raise ValueError(
            f"Expected a column {name!r} to split by. Received: {dataset.column_names}"
        )
    return None


def _bundles(dataset, columns, group_by, seed):
    """Lists of rows that must stay together, in an order that the seed decides."""
    joined = _DisjointRows()
    ranks = []
    for row, (values, keys) in enumerate(row_keys(dataset, columns, group_by)):
        joined.add(row)
        for key in keys:
            joined.join(row, key)
        texts = fingerprint(*(values[name] for name in columns))
        ranks.append(hashlib.blake2b(b"%d:" % seed + texts, digest_size=16).digest())
    return sorted(
        joined.bundles(), key=lambda rows: (min(ranks[row] for row in rows), rows)
    )


class _DisjointRows:
    """Rows that have a key in common, directly or through other rows."""

    def __init__(self):
        self._parents = []
        self._owners = {}

    def add(self, row):
        self._parents.append(row)

    def join(self, row, key):
        """Puts a row together with the rows that had this key before."""
        root = self._root(self._owners.setdefault(key, row))
        self._parents[self._root(row)] = root

    def bundles(self):
        """Lists of row numbers, each ascending."""
        bundles = defaultdict(list)
        for row in range(len(self._parents)):
            bundles[self._root(row)].append(row)
        return list(bundles.values())

    def _root(self, row):
        while self._parents[row] != row:
            self._parents[row] = self._parents[self._parents[row]]
            row = self._parents[row]
        return row


def _assign(bundles, classes, shares):
    """Fills the parts: bundles of several rows first, then single rows to the brim."""
    parts = _Parts(shares, Counter(classes))
    # Large ones first, because the small ones can even out what they leave.
    for rows in sorted(bundles, key=lambda rows: -len(rows).bit_length()):
        if len(rows) > 1:
            parts.add_bundle(rows, classes)
    singles = defaultdict(list)
    for rows in bundles:
        if len(rows) == 1:
            singles[classes[rows[0]]].append(rows[0])
    for name in sorted(parts.totals):
        parts.add_singles(name, singles[name])
    return parts.rows


class _Parts:
    """The parts while they are filled; counts go by part and class."""

    def __init__(self, shares, totals):
        self.totals = totals
        self.rows = {part: [] for part in shares}
        self._shares = shares
        self._counts = {part: Counter() for part in shares}
        self._lacking = dict.fromkeys(shares, 0.0)

    def add_bundle(self, rows, classes):
        """Puts rows into the part whose classes they bring nearest to its share."""
        counts = Counter(classes[row] for row in rows)

        def growth(part):  # of the sum of count^2 / wanted count over parts and classes
            return sum(
                count
                * (2 * self._counts[part][name] + count)
                / self._wanted(part, name)
                for name, count in counts.items()
            )

        part = min(self._shares, key=growth)
        self.rows[part] += rows
        self._counts[part] += counts

    def add_singles(self, name, rows):
        """Deals out rows of one class that are free to stand in any part."""
        if rows and not self._counts["train"][name]:
            # A class that training never sees cannot be learnt.
            self._add("train", name, rows[:1])
            rows = rows[1:]
        begin = 0
        for part, count in self._portions(name, len(rows)).items():
            self._add(part, name, rows[begin : begin + count])
            begin += count
        for part in self._shares:
            self._lacking[part] += self._wanted(part, name) - self._counts[part][name]

    def _wanted(self, part, name):
        return self._shares[part] * self.totals[name]

    def _add(self, part, name, rows):
        self.rows[part] += rows
        self._counts[part][name] += len(rows)

    def _portions(self, name, num_rows):
        """Whole numbers of rows for each part that sum up to `num_rows`."""
        gaps = {
            part: max(0.0, self._wanted(part, name) - self._counts[part][name])
            for part in self._shares
        }
        scale = num_rows / (sum(gaps.values()) or 1.0)
        portions = {part: int(gap * scale) for part, gap in gaps.items()}
        # What rounding leaves goes where earlier classes were rounded down most.
        by_need = sorted(
            gaps,
            key=lambda part: portions[part] - gaps[part] * scale - self._lacking[part],
        )
        for part in by_need[: num_rows - sum(portions.values())]:
            portions[part] += 1
        return portions


def _check_sizes(parts, shares, bundles):
    """Refuses empty parts, and warns of those whose size bundles have distorted."""
    num_rows = sum(len(rows) for rows in parts.values())
    sizes = {part: len(rows) for part, rows in parts.items()}
    if not all(sizes.values()):
        raise ValueError(
            f"Expected rows in every part. Received: {num_rows} rows in {len(bundles)} "
            f"bundles that must stay together, which gives {sizes}"
        )
    off = [p for p in shares if abs(sizes[p] / num_rows - shares[p]) > _FAR_OFF]
    if off:
        warnings.warn(
            f"The shares are off in {off}: {sizes}. Rows that share a group or a text "
            f"stay together; most of them at once: {max(map(len, bundles))}.",
            stacklevel=3,
        )
