"""From sources of text pairs to their parts for training, validation and test."""

from kftune.data.clean_pairs import clean_pairs
from kftune.data.drop_overlap import drop_overlap
from kftune.data.read import read
from kftune.data.read_pairs import read_pairs
from kftune.data.split import split

_SHARE, _MOST = 0.1, 2_000


def read_pair_splits(
    train, validation=None, test=None, *, language=None, seed=0, **cleaning
):
    """Reads and cleans text pairs, and splits off the parts that have no source.

    Such a part takes a tenth of the pairs of `train`, 2,000 at most. No text stands in
    two parts: what `validation` or `test` hold is left out of the training part. They
    themselves stay as they are, so that scores compare with those of others.

    Args:
        train: sequence of what `kftune.data.read_pairs` takes.
        validation: what `kftune.data.read` takes, or `None`.
        test: the same.
        language: `str` or `None`, of `read_pairs`.
        seed: `int`, of the split.
        **cleaning: options of `kftune.data.clean_pairs`, for `train`.

    Returns:
        Dict of `"train"`, `"validation"` and `"test"` to `datasets.Dataset` with the
        columns `source` and `target`; what is split off has `group`, too, and given
        parts keep their other columns.

    Raises:
        FileNotFoundError: as `read`.
        ConnectionError: as `read`.
        ValueError: as `read_pairs`, `clean_pairs` and `split`.

    Example:
    ```python
    splits = read_pair_splits(["pairs.tsv"], languages=("en", "de"))
    splits = read_pair_splits(["django"], test="test.en+test.de", language="de")
    ```
    """
    given = {"validation": validation, "test": test}
    given = {name: read(source) for name, source in given.items() if source}
    rows, _ = clean_pairs(read_pairs(train, language=language), **cleaning)
    for part in given.values():
        rows = drop_overlap(rows, part)
    share = min(_SHARE, _MOST / max(1, len(rows)))
    shares = {name: 0 if name in given else share for name in ("validation", "test")}
    return {**split(rows, **shares, seed=seed), **given}
