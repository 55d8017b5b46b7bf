"""One door for all text: files, pairs of files, named corpora and the hub."""

import functools
import re
from pathlib import Path

import datasets

from kftune.data.arrow_cache import dataset_from_parquet, dataset_from_rows
from kftune.data.corpora import CORPORA, read_corpus
from kftune.data.gettext_catalogue import read_po
from kftune.data.numeric_column import with_numbers
from kftune.data.row_readers import ROWS, TABLES, read_parallel
from kftune.data.text_lines import OPENERS, format_of

_FORMATS = (*TABLES, *ROWS, ".parquet", ".po")
_HUB_NAME = re.compile(r"[\w-]+(/[\w.-]+)?")


def read(
    source,
    *,
    text=None,
    label=None,
    group=None,
    column_names=None,
    encoding="utf-8",
    delimiter=",",
    hub_config=None,
    hub_split="train",
    language=None,
):
    """Reads labelled, parallel or plain text from wherever it is.

    The columns that were asked for come back under the standard names `text`, `label`
    and `group`; a column that had such a name gives way. Other columns stay as they
    are. What was read is kept as an Arrow file below `<Keras home>/kftune/data`, keyed
    by the content of the file, and mapped into memory from there.

    Args:
        source: one of

            - the name of a corpus: `"rotten_tomatoes"`, `"python_docs"`, or one of
              messages, which needs a `language`: `"django"`, `"plone"`. It wins over a
              file or a hub dataset of the same name.
            - a file (`str` or `Path`): `.csv`, `.tsv` (quotes are ordinary
              characters), `.jsonl`, `.ndjson`, `.parquet`, `.txt` (one row a line) or
              `.po` (finished translations), each also with `.gz`, `.xz` or `.bz2`
              behind it.
            - two files of plain text that match line by line, as a sequence or as
              `"train.en+train.de"`; their columns are `source` and `target`.
            - a dataset on the Hugging Face hub: `"owner/name"`.
        text: `str` or `None`. The column that holds the text.
        label: `str` or `None`. The column that holds the class, the list of classes
            or the number to predict. In csv and tsv, it becomes `int64` or `float64`
            if all its values are written as numbers; `1.0` beside blank values is
            `int64`, for so pandas writes whole numbers with gaps. Whole numbers that
            these types would round stay strings.
        group: `str` or `None`. The column whose equal values must stay in one split.
        column_names: sequence of `str`. Names for a csv or tsv without a header line.
        encoding: `str`. Encoding of text files.
        delimiter: `str` of one character. What stands between the fields of a csv, such
            as `";"`.
        hub_config: `str` or `None`. Configuration of a hub dataset.
        hub_split: `str`. Split of a hub dataset, such as `"train"` or `"train[:10%]"`.
        language: `str` or `None`. Into which language a corpus of messages is
            translated, such as `"de"` or `"pt_BR"`.

    Returns:
        `datasets.Dataset`.

    Raises:
        FileNotFoundError: if there is no such file, corpus or hub dataset.
        ConnectionError: if a corpus or the hub cannot be reached.
        ModuleNotFoundError: if a corpus is to be downloaded and there is no pip.
        ValueError: if the suffix or a column is unknown, or the content is damaged;
            the message names file and line. If a language is missing, unknown, or goes
            with no such source.

    Example:
    ```python
    import kftune

    rows = kftune.data.read("tickets.csv", text="question", label="queue")
    rows, report = kftune.data.clean(rows)
    rows = kftune.data.encode_labels(rows)
    splits = kftune.data.split(rows, validation=0.1, test=0.1, seed=0)
    ```
    """
    files = _files(source)
    if files is None and source in CORPORA:
        dataset = read_corpus(source, language)
    elif language is not None:
        raise ValueError(
            f"Expected a language with a corpus ({', '.join(CORPORA)}) alone. "
            f"Received: language={language!r} with {source}"
        )
    elif files is None:
        dataset = _read_hub(source, hub_config, hub_split)
    elif len(files) == 2:
        dataset = _read_pair(files, encoding)
    else:
        tables = {"column_names": column_names, "delimiter": delimiter}
        dataset = _read_file(files[0], label or "label", encoding, **tables)
    return _with_standard_names(
        dataset, {"text": text, "label": label, "group": group}, source
    )


def _files(source):
    """The existing files that a source means; None for the name of a dataset."""
    if not isinstance(source, str | Path | list | tuple):
        raise TypeError(f"Expected a name, a path or two paths. Received: {source!r}")
    paths = source
    if isinstance(source, str | Path):
        is_file = Path(source).expanduser().exists()
        if source in CORPORA or (not is_file and _is_hub_name(source)):
            return None
        paths = [source] if is_file else str(source).split("+")
    paths = [Path(path).expanduser() for path in paths]
    missing = [
        f"{path}, which is a folder" if path.is_dir() else f"{path}, which is not there"
        for path in paths
        if not path.is_file()
    ]
    if missing:
        raise FileNotFoundError(
            f"Expected a file, a corpus ({', '.join(CORPORA)}) or the name of "
            f"a hub dataset (owner/name). Received: {' and '.join(missing)}."
        )
    if len(paths) != 2 and (len(paths) > 2 or isinstance(source, list | tuple)):
        raise ValueError(
            f"Expected one file or two parallel ones. Received: {source!r}"
        )
    return paths


def _is_hub_name(source):
    """Whether a name that is no file may be a hub dataset rather than a lost file."""
    if isinstance(source, Path):
        return False
    folder = Path(source).parent
    lost = folder.is_dir() and folder != Path()
    known = format_of(Path(source)) in _FORMATS
    return bool(_HUB_NAME.fullmatch(source)) and not lost and not known


def _read_file(path, label, encoding, *, column_names, delimiter):
    suffix = format_of(path)
    if suffix not in _FORMATS:
        raise ValueError(
            f"Expected a file that ends with one of {', '.join(_FORMATS)} (and perhaps "
            f"{', '.join(OPENERS)}). Received: {path}"
        )
    if column_names is not None and suffix not in TABLES:
        raise ValueError(
            f"Expected column_names with {' or '.join(TABLES)} alone. Received: "
            f"{path} with column_names={list(column_names)}"
        )
    if delimiter != "," and suffix != ".csv":
        raise ValueError(
            "Expected a delimiter with .csv alone. Received: "
            f"{path} with delimiter={delimiter!r}"
        )
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(
            "Expected a delimiter of one character, such as ';' or a tab. Received: "
            f"{delimiter!r}"
        )
    if suffix == ".parquet":
        return dataset_from_parquet(path)
    if suffix == ".po":
        return read_po(path, encoding)
    if suffix in ROWS:
        return _read_rows(suffix, ROWS[suffix], path, encoding=encoding)
    names = None if column_names is None else list(column_names)
    options = {"encoding": encoding, "column_names": names}
    if suffix == ".csv":
        options["delimiter"] = delimiter
    dataset = _read_rows(suffix, TABLES[suffix], path, **options)
    return with_numbers(dataset, label)


def _read_rows(suffix, reader, *paths, **options):
    read_rows = functools.partial(reader, *paths, **options)
    return dataset_from_rows(read_rows, paths, {"format": suffix, **options})


def _read_pair(files, encoding):
    return _read_rows("parallel", read_parallel, *files, encoding=encoding)


def _read_hub(name, config, split):
    """Loads a hub dataset and says in our words what went wrong."""
    asked = (
        f"{name!r} (configuration {config!r}, split {split!r}), which is no file and "
        f"no corpus ({', '.join(CORPORA)})"
    )
    try:
        return datasets.load_dataset(name, config, split=split)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"Expected a file, a corpus or a dataset on the hub. Received: {asked}, "
            f"and is not on the hub. {error}"
        ) from error
    except (ConnectionError, TimeoutError) as error:
        raise ConnectionError(
            f"The hub could not be asked for {asked}. Check the network, or give a "
            f"file. Received: {error}"
        ) from error
    except (datasets.exceptions.DatasetsError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"The hub's dataset could not be read: {asked}. Received: {error}"
        ) from error


def _with_standard_names(dataset, columns, source):
    """Renames the columns that were asked for to `text`, `label` and `group`."""
    asked = {column: name for name, column in columns.items() if column is not None}
    missing = [column for column in asked if column not in dataset.features]
    if missing:
        raise ValueError(
            f"Expected the columns {list(asked)} in {source}. Missing: {missing}. "
            f"Received: {dataset.column_names}"
        )
    gives_way = [name for name in asked.values() if name not in asked]
    gives_way = [name for name in gives_way if name in dataset.features]
    return dataset.remove_columns(gives_way).rename_columns(asked)
