"""Text pairs of several directions, for one model that translates all of them."""

import datasets

from kftune.data.same_text import text_columns

_COLUMNS = ["source", "target"]


def both_directions(pairs):
    """Puts the reverse of text pairs beside them.

    Args:
        pairs: dict of the languages of source and target, such as `("en", "de")`, to a
            `datasets.Dataset` with the text columns `source` and `target`.

    Returns:
        The same dict with the reverse behind each entry: `("en", "de")`, then
        `("de", "en")`. There are no other columns.

    Raises:
        ValueError: if a column is missing or holds no strings, if a key is not two
            languages, or if a direction comes twice.

    Example:
    ```python
    rows = datasets.Dataset.from_dict({"source": ["a dog"], "target": ["ein Hund"]})
    pairs = kftune.data.both_directions({("en", "de"): rows})
    pairs["de", "en"][0]  # {"source": "ein Hund", "target": "a dog"}
    ```
    """
    directions = {}
    for languages, rows in pairs.items():
        backward = tuple(reversed(languages))
        if len(set(languages)) != 2 or len(languages) != 2 or backward in directions:
            raise ValueError(
                "Expected two languages, such as ('en', 'de'), and each pair of them "
                f"once. Received: {list(pairs)}"
            )
        forward = rows.select_columns(text_columns(rows, _COLUMNS))
        exchanged = forward.rename_columns({"source": "target", "target": "source"})
        directions[tuple(languages)] = forward
        directions[backward] = exchanged.select_columns(_COLUMNS)
    return directions


def tag_directions(directions):
    """Puts text pairs together, with a tag that tells the language of the target.

    A source begins with `>>de<<` and a blank if its target is German: so Marian models
    of several languages are trained. The tokenizer must know the languages, see
    `kftune.models.train_marian_tokenizer`; such a model then generates with
    `target_language="de"` from sources without a tag.

    Args:
        directions: dict as of `both_directions`.

    Returns:
        `datasets.Dataset` with the columns `source` and `target`.

    Raises:
        ValueError: if a column is missing or holds no strings.

    Example:
    ```python
    rows = datasets.Dataset.from_dict({"source": ["a dog"], "target": ["ein Hund"]})
    kftune.data.tag_directions({("en", "de"): rows})["source"][0]  # ">>de<< a dog"
    ```
    """
    tagged = []
    for (_, target), rows in directions.items():
        text_columns(rows, _COLUMNS)
        sources = [f">>{target}<< {text}" for text in rows["source"]]
        tagged.append({"source": sources, "target": rows["target"][:]})
    return datasets.concatenate_datasets([*map(datasets.Dataset.from_dict, tagged)])
