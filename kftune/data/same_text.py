"""When two texts count as the same: the one rule for cleaning and for splitting."""

import hashlib

TEXT_COLUMNS = ("text", "source", "target")


def text_columns(dataset, columns=None):
    """Finds the columns that hold text.

    Args:
        dataset: `datasets.Dataset`.
        columns: sequence of `str`, or `None` for `text`, and without it for those of
            `source` and `target` that are there.

    Returns:
        A list of `str`.

    Raises:
        TypeError: if it is no dataset.
        ValueError: if a column is missing or holds no strings.
    """
    if not hasattr(dataset, "features"):
        raise TypeError(
            "Expected a datasets.Dataset, as kftune.data.read gives; of lists, "
            "datasets.Dataset.from_dict({'text': ..., 'label': ...}) makes one. "
            f"Received: {type(dataset).__name__}"
        )
    received = {name: str(feature) for name, feature in dataset.features.items()}
    # Beside a text they are something else: where a ticket came from.
    sides = [name for name in TEXT_COLUMNS[1:] if name in received]
    found = ["text"] if "text" in received else sides
    columns = found if columns is None else list(columns)
    strings = {
        name
        for name, feature in dataset.features.items()
        if getattr(feature, "dtype", None) in ("string", "large_string")
    }
    if not columns or not strings.issuperset(columns):
        raise ValueError(
            f"Expected text in the columns {columns or list(TEXT_COLUMNS)}; "
            "read(source, text=...) names the column that holds it. Received: "
            f"{received}"
        )
    return columns


def fingerprint(*texts):
    """Hashes texts, blind to case and to the kind and amount of white space.

    Args:
        *texts: `str` or `None`, which counts as `""`.

    Returns:
        `bytes`, 16 of them, the same on every machine.
    """
    folded = (" ".join((text or "").casefold().split()) for text in texts)
    joined = "\0".join(folded).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(joined, digest_size=16).digest()
