import bz2
import csv
import gzip
import json
import lzma

import datasets
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kftune.data
from kftune.data import clean, encode_labels, read

pytestmark = pytest.mark.usefixtures("own_cache")


# === Formats


def test_csv_with_quoted_newlines_commas_and_crlf(write):
    path = write(
        "a.csv",
        'text,label\r\n"two\r\nlines, one row",a\r\n\r\n"say ""hi""",b\r\n',
    )
    assert read(path).to_list() == [
        {"text": "two\r\nlines, one row", "label": "a"},
        {"text": 'say "hi"', "label": "b"},
    ]


def test_csv_agrees_with_what_the_csv_module_wrote(tmp_path):
    values = ['"', ",", "\n", "\r\n", '""', "tab\there", "'", "", "\\", "é\u2028\x85"]
    rows = [
        {"text": a + "x" + b, "other": b + a}
        for a in values
        for b in values
        if a + b != ""
    ]
    with (tmp_path / "a.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["text", "other"])
        writer.writeheader()
        writer.writerows(rows)
    assert read(tmp_path / "a.csv").to_list() == rows


def test_tsv_takes_quotes_literally(write):
    path = write("a.tsv", 'text\tlabel\n"Fine\tpos\n12" screen\tneg\n\n')
    assert read(str(path)).to_list() == [
        {"text": '"Fine', "label": "pos"},
        {"text": '12" screen', "label": "neg"},
    ]


def test_a_table_without_header_takes_the_names_given(write):
    path = write("a.tsv", "one\teins\ntwo\tzwei\n")
    rows = read(path, column_names=("source", "target"))
    assert rows["source"][:] == ["one", "two"]
    assert rows["target"][:] == ["eins", "zwei"]


def test_jsonl_keeps_types_and_fills_missing_keys(write):
    path = write(
        "a.jsonl",
        '{"text": "a", "label": null}\n\n{"text": "b", "label": 1, "tags": ["x"]}\r\n'
        '{"text": "c", "label": 2.5}\n',
    )
    rows = read(path)
    assert rows["label"][:] == [None, 1.0, 2.5]
    assert rows["tags"][:] == [None, ["x"], None]


def test_jsonl_types_are_those_of_all_rows_not_of_the_first(write):
    lines = [{"text": "a", "label": None}] * 2500 + [{"text": "b", "label": "x"}]
    path = write("a.jsonl", "\n".join(map(json.dumps, lines)))
    assert read(path)[-1] == {"text": "b", "label": "x"}


def test_jsonl_mends_half_surrogates(write):
    path = write("a.jsonl", r'{"text": "\ud83d\ude00 \ud83d", "n": [{"a": "\udc00"}]}')
    assert read(path)[0] == {"text": "😀 \ufffd", "n": [{"a": "\ufffd"}]}


def test_parquet(tmp_path):
    table = pa.table({"review": ["a", "b"], "label": ["x", "y"], "n": [1, None]})
    table = table.set_column(1, "label", table["label"].dictionary_encode())
    pq.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", text="review").to_list() == [
        {"text": "a", "label": "x", "n": 1},
        {"text": "b", "label": "y", "n": None},
    ]


def test_parquet_keeps_class_names(tmp_path):
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(2, ["n", "p"])}
    )
    rows = datasets.Dataset.from_dict({"text": ["a"], "label": [1]}, features)
    rows.to_parquet(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet").features == features


def test_text_is_one_row_a_line(write):
    path = write("a.txt", "one\r\n\ntwo\u2028\x0b\x85still two")
    assert read(path)["text"][:] == ["one", "", "two\u2028\x0b\x85still two"]


@pytest.mark.parametrize("as_one_name", [True, False])
def test_parallel_text(write, as_one_name):
    english, german = write("t.en", "one\ntwo\n"), write("t.de", "eins\nzwei\n")
    source = f"{english}+{german}" if as_one_name else (english, german)
    assert read(source).to_list() == [
        {"source": "one", "target": "eins"},
        {"source": "two", "target": "zwei"},
    ]


@pytest.mark.parametrize(
    "compress, suffix",
    [(gzip.compress, ".gz"), (lzma.compress, ".xz"), (bz2.compress, ".bz2")],
)
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.txt", "a.parquet"])
def test_compressed_files_read_like_plain_ones(write, name, compress, suffix, tmp_path):
    contents = {
        "a.csv": b"text\nx\n",
        "a.tsv": b"text\nx\n",
        "a.jsonl": b'{"text": "x"}',
        "a.txt": b"x\n",
    }
    if name == "a.parquet":
        pq.write_table(pa.table({"text": ["x"]}), tmp_path / name)
        contents[name] = (tmp_path / name).read_bytes()
    path = write(name + suffix, compress(contents[name]))
    assert read(path).to_list() == [{"text": "x"}]


def test_parallel_text_may_be_compressed(write):
    files = write("t.en.xz", lzma.compress(b"one\n")), write("t.de", b"eins\n")
    assert read(files).to_list() == [{"source": "one", "target": "eins"}]


def test_gettext(write):
    path = write("a.po", 'msgid "one"\nmsgstr "eins"\n')
    assert read(path)[0] == {"source": "one", "target": "eins", "context": ""}


# === Columns


def test_columns_get_the_standard_names(write):
    path = write("a.csv", "q,intent,user,n\na,x,u,1\n")
    assert read(path, text="q", label="intent", group="user").to_list() == [
        {"text": "a", "label": "x", "group": "u", "n": "1"}
    ]


def test_a_column_that_had_the_name_gives_way_unless_it_is_asked_for(write):
    path = write("a.csv", "text,label,title\na,b,c\n")
    assert read(path, text="title").to_list() == [{"label": "b", "text": "c"}]
    assert read(path, text="label", label="text")[0] == {
        "text": "b",
        "label": "a",
        "title": "c",
    }


@pytest.mark.parametrize(
    "values, expected",
    [
        (["0", "1", ""], [0, 1, None]),
        (["0.5", "-2", "1e3"], [0.5, -2.0, 1000.0]),
        (["1.0", "", " -3.0 "], [1, None, -3]),
        (["1.0", "3.0"], [1.0, 3.0]),
        (["1.0", "", "3.5"], [1.0, None, 3.5]),
        (["1", "x", ""], ["1", "x", ""]),
        (["007", "010"], ["007", "010"]),
        (["nan", "1"], ["nan", "1"]),
        ([f"{2**63 - 1}", f"{1 - 2**63}"], [2**63 - 1, 1 - 2**63]),
        ([f"{2**63}", "1"], [f"{2**63}", "1"]),
        (["1" * 5000, "1"], ["1" * 5000, "1"]),
        ([f"{2**53}", "0.5"], [2.0**53, 0.5]),
        ([f"{2**53 + 1}", "0.5"], [f"{2**53 + 1}", "0.5"]),
    ],
)
@pytest.mark.parametrize("name", ["stars", "label"])
def test_a_label_column_of_numbers_becomes_numbers(write, values, expected, name):
    lines = "".join(f"t{i},{value}\n" for i, value in enumerate(values))
    rows = read(write("a.csv", f"text,{name}\n{lines}"), label=name)
    assert rows["label"][:] == expected
    assert list(map(type, rows["label"][:])) == list(map(type, expected))


def test_classes_with_gaps_that_pandas_wrote_are_classes(tmp_path):
    path = tmp_path / "a.csv"
    frame = pandas.DataFrame({"text": list("abc"), "label": [1, None, 0]})
    frame.to_csv(path, index=False)
    rows, _ = clean(read(path))
    assert encode_labels(rows).features["label"].names == ["0", "1"]


def test_text_that_looks_like_a_number_stays_text(write):
    assert read(write("a.csv", "text,label\n12,a\n"))["text"][:] == ["12"]


def test_all_missing_columns_are_named(write):
    path = write("a.csv", "text,label\na,b\n")
    with pytest.raises(ValueError, match=r"Missing: \['body', 'stars'\]") as error:
        read(path, text="body", label="stars")
    assert "['text', 'label']" in str(error.value)


def test_columns_of_one_name_are_refused(write):
    with pytest.raises(ValueError, match=r"a\.csv.*\['text'\]"):
        read(write("a.csv", "text,text\na,b\n"))


# === Sources


def test_an_unknown_suffix_lists_the_known_ones(write):
    path = write("reviews.docx", b"x")
    with pytest.raises(ValueError, match=r"\.csv, \.tsv.*\.gz.*reviews\.docx"):
        read(path)
    with pytest.raises(ValueError, match="README"):
        read(write("README", b"x"))


@pytest.mark.parametrize(
    "name", ["missing.csv", "./missing", "missing.txt.gz", "a.en+b.de", "~/missing.csv"]
)
def test_a_missing_file_is_no_hub_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "load_dataset", None)
    with pytest.raises(FileNotFoundError, match="rotten_tomatoes") as error:
        read(name)
    assert "missing" in str(error.value) or "a.en" in str(error.value)


def test_a_missing_file_in_an_existing_folder_is_no_hub_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "load_dataset", None)
    (tmp_path / "reviews").mkdir()
    for source in ("reviews/train", tmp_path / "train", "reviews"):
        with pytest.raises(FileNotFoundError, match="train|reviews"):
            read(source)


def test_other_sources_are_refused(write):
    with pytest.raises(TypeError, match="Received: 5"):
        read(5)
    path = write("t.en", "a\n")
    with pytest.raises(ValueError, match=r"two parallel ones.*t\.en"):
        read([path, path, path])
    with pytest.raises(ValueError, match="column_names=\\['text'\\]"):
        read(write("a.txt", "x"), column_names=["text"])


def test_a_hub_name_goes_through_datasets(monkeypatch):
    calls = []

    def load_dataset(name, config, *, split):
        calls.append((name, config, split))
        return datasets.Dataset.from_dict({"sentence": ["a"], "label": [1]})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    rows = read("nyu-mll/glue", text="sentence", hub_config="sst2", hub_split="test")
    assert rows.to_list() == [{"text": "a", "label": 1}]
    assert calls == [("nyu-mll/glue", "sst2", "test")]


@pytest.mark.parametrize(
    "raised, expected",
    [
        (datasets.exceptions.DatasetNotFoundError("gone"), FileNotFoundError),
        (ConnectionError("gone"), ConnectionError),
        (datasets.exceptions.DatasetGenerationError("gone"), ValueError),
        (RuntimeError("gone"), ValueError),
        (ValueError("gone"), ValueError),
    ],
)
def test_what_went_wrong_on_the_hub_is_said(monkeypatch, raised, expected):
    def load_dataset(*_, **__):
        raise raised

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(expected, match=r"'owner/name'.*gone"):
        read("owner/name")


def test_from_file_to_parts(write, capsys):
    lines = "".join(f"Text number {i},{'ab'[i % 2]}\n" for i in range(40))
    rows = read(write("a.csv", f"text,label\n{lines} ,a\n"))
    rows, report = kftune.data.clean(rows)
    splits = kftune.data.split(kftune.data.encode_labels(rows))
    assert "1 blank" in capsys.readouterr().out
    assert report.rows_after == 40
    assert splits.num_rows == {"train": 32, "validation": 4, "test": 4}
    assert splits["train"].features["label"].names == ["a", "b"]
