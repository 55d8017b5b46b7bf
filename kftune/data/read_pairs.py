"""Text pairs from several places as one dataset."""

import datasets

from kftune.data.message_corpora import MESSAGE_CORPORA
from kftune.data.read import read
from kftune.data.same_text import text_columns

_SIDES = ("source", "target")


def read_pairs(sources, *, language=None):
    """Reads text pairs from files and corpora, one behind the other.

    Args:
        sources: sequence of what `read` takes: `"django"`, `"de.po"`,
            `"train.en+train.de"`, a table with the columns `source` and `target`.
        language: `str` or `None`. Into which language, for corpora of messages; others
            are taken to be in it.

    Returns:
        `datasets.Dataset` with the columns `source`, `target` and `group`, `None` where
        a source has no groups.

    Raises:
        FileNotFoundError: as `read`.
        ConnectionError: as `read`.
        ValueError: as `read`; or if a source has no columns `source` and `target` of
            strings.

    Example:
    ```python
    rows = read_pairs(["django", "product.de.po"], language="de")
    ```
    """
    parts = []
    for source in sources:
        named = isinstance(source, str) and source in MESSAGE_CORPORA
        rows = read(source, language=language if named else None)
        columns = text_columns(rows, _SIDES)
        if "group" not in rows.column_names:
            groups = datasets.Dataset.from_dict(
                {"group": [None] * len(rows)},
                features=datasets.Features({"group": datasets.Value("string")}),
            )
            rows = datasets.concatenate_datasets([rows, groups], axis=1)
        parts.append(rows.select_columns([*columns, "group"]))
    return datasets.concatenate_datasets(parts)
