import bz2
import csv
import gzip
import json
import lzma
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kftune.data import read

pytestmark = pytest.mark.usefixtures("own_cache")


def test_one_long_field_and_one_long_line(write):
    text = "x" * 1_000_000
    limit = csv.field_size_limit()
    assert read(write("a.csv", f'text\n"{text}\n{text}"\n'))[0]["text"] == (
        f"{text}\n{text}"
    )
    assert csv.field_size_limit() == limit
    assert read(write("a.tsv", f"text\n{text}\n"))[0]["text"] == text
    assert read(write("a.jsonl", json.dumps({"text": text})))[0]["text"] == text
    assert read(write("a.txt", text))[0]["text"] == text


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.csv", b"text\na\0b\n"),
        ("a.tsv", b"text\na\0b\n"),
        ("a.jsonl", b'{"text": "a\\u0000b"}'),
        ("a.txt", b"a\0b"),
    ],
)
def test_nul_bytes_are_read(write, name, content):
    assert read(write(name, content))[0]["text"] == "a\0b"


def test_a_byte_order_mark_is_no_part_of_the_first_column(write):
    path = write("a.csv", b"\xef\xbb\xbftext\na\n")
    for encoding in ("utf-8", "UTF_8", "utf8", "U8", "utf-8-sig"):
        assert read(path, encoding=encoding).column_names == ["text"]


@pytest.mark.parametrize("encoding", ["latin-99", "rot13"])
def test_an_encoding_that_is_none_is_refused(write, encoding):
    with pytest.raises(ValueError, match=f"an encoding that Python knows.*{encoding}"):
        read(write("a.csv", "text\na\n"), encoding=encoding)


@pytest.mark.parametrize("delimiter", ["", "\\t", "||", '"', "\n"])
def test_a_delimiter_is_one_character(write, delimiter):
    with pytest.raises(ValueError, match="delimiter of one character") as error:
        read(write("a.csv", "text\na\n"), delimiter=delimiter)
    assert str(error.value).endswith(f"Received: {delimiter!r}")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}, which is a folder.$"):
        read(tmp_path)
    gone = tmp_path / "gone.csv"
    with pytest.raises(FileNotFoundError) as error:
        read([tmp_path, gone])
    expected = f"{tmp_path}, which is a folder and {gone}, which is not there."
    assert str(error.value).endswith(expected)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
def test_bytes_that_are_not_utf8_are_shown_with_their_line(write, name):
    path = write(name, b"text\n" + b"fine\n" * 3000 + b"caf\xe9\n")
    with pytest.raises(ValueError, match=r"line 3002.*0xe9.*'caf'.*encoding=") as error:
        read(path)
    assert str(path) in str(error.value)
    assert read(path, encoding="latin-1")[-1]["text"] == "café"


def test_utf16_is_read_when_asked_for(write):
    path = write("a.csv", "text\ncafé\n".encode("utf-16"))
    assert read(path, encoding="utf-16")["text"][:] == ["café"]
    with pytest.raises(ValueError, match=r"line 1.*0xff"):
        read(path)
    with pytest.raises(ValueError, match=r"a\.tsv, after line 0.*utf-16"):
        read(write("a.tsv", b"text\n"), encoding="utf-16-le")


def test_a_quote_that_never_closes_is_found_where_it_opened(write):
    path = write("a.csv", 'text,label\n"a\na",b\n"open,b\n' + "c,d\n" * 5)
    with pytest.raises(ValueError, match=r"a\.csv, row that begins at line 4"):
        read(path)


def test_text_behind_a_closing_quote_is_an_error(write):
    with pytest.raises(ValueError, match="row that begins at line 2"):
        read(write("a.csv", 'text,label\n"a"b,c\n'))


@pytest.mark.parametrize("name, comma", [("a.csv", ","), ("a.tsv", "\t")])
def test_a_row_of_another_length_is_shown_with_its_line(write, name, comma):
    path = write(name, f"text{comma}label\na{comma}b\nc{comma}d{comma}e\n")
    with pytest.raises(ValueError, match=rf"{name}, line 3: expected 2.*Received 3"):
        read(path)


@pytest.mark.parametrize("line", ['{"text": "a"', "[1]", '"x"', "{'text': 1}"])
def test_a_line_that_is_no_json_object_is_shown(write, line):
    path = write("a.jsonl", f'{{"text": "a"}}\n{line}\n')
    with pytest.raises(ValueError, match=r"a\.jsonl, line 2: expected a JSON") as error:
        read(path)
    assert repr(line) in str(error.value)


def test_json_nested_too_deep_is_a_clear_error(write):
    depth = sys.getrecursionlimit() * 100
    with pytest.raises(ValueError, match="line 1"):
        read(write("a.jsonl", '{"a": ' + "[" * depth + "]" * depth + "}"))


@pytest.mark.parametrize("apart", [0, 1500])
def test_a_column_of_mixed_kinds_is_shown_with_lines(write, apart):
    lines = ['{"text": "a", "label": 1}'] * (apart + 1) + ['{"text": 1, "label": "x"}']
    with pytest.raises(ValueError, match="one kind") as error:
        read(write("a.jsonl", "\n".join(lines)))
    second = f"line {apart + 2}"
    assert str({"str": "line 1", "int": second}) in str(error.value)
    assert str({"int": "line 1", "str": second}) in str(error.value)


@pytest.mark.parametrize("apart", [1, 1500])
@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([0, 2**63 - 1], "int64"),
        ([0, 2**64 - 1], "uint64"),
        ([-1, 2**63], "string"),
        ([None, 2**64], "string"),
        ([2**53, 1.5], "float64"),
        ([2**53 + 1, 1.5], "string"),
    ],
)
def test_no_whole_number_is_rounded(write, values, dtype, apart):
    lines = [json.dumps({"n": value}) for value in values]
    rows = read(write("a.jsonl", "\n".join([lines[0]] * apart + lines[1:])))
    assert rows.features["n"].dtype == dtype
    expected = [values[0]] * apart + values[1:]
    if dtype == "string":
        expected = [value and json.dumps(value) for value in expected]
    assert rows["n"][:] == expected


def test_nested_numbers_that_do_not_fit_are_shown_with_column_and_line(write):
    path = write("a.jsonl", f'{{"n": [1], "m": 1}}\n{{"n": [{2**70}], "m": 2}}\n')
    with pytest.raises(ValueError, match=r"a\.jsonl.*'n' in line 2: .*too (large|big)"):
        read(path)
    late = [f'{{"n": [{2**53 + 1}]}}'] * 1000 + ['{"n": [1.5]}']
    with pytest.raises(ValueError, match=r"lines 1 to 1000: expected.*exactly"):
        read(write("a.jsonl", "\n".join(late)))


def test_a_number_too_long_beside_a_word_is_one_of_two_kinds(write):
    with pytest.raises(ValueError, match=r"'int': 'line 1', 'str': 'line 2'"):
        read(write("a.jsonl", f'{{"n": {2**70}}}\n{{"n": "x"}}'))


@pytest.mark.parametrize(
    "name", ["a.csv", "a.tsv", "a.jsonl", "a.txt", "a.parquet", "a.po", "a.csv.gz"]
)
def test_an_empty_file_is_an_error(write, name):
    path = write(name, b"")
    with pytest.raises(ValueError, match="(?i)expected") as error:
        read(path)
    assert str(path) in str(error.value)


def test_files_without_rows_are_an_error(write, tmp_path):
    with pytest.raises(ValueError, match=r"rows of data.*a\.csv"):
        read(write("a.csv", "text,label\n"))
    with pytest.raises(ValueError, match=r"rows of data.*t\.en and .*t\.de"):
        read([write("t.en", ""), write("t.de", "")])
    pq.write_table(
        pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet"
    )
    with pytest.raises(ValueError, match=r"rows of data.*a\.parquet"):
        read(tmp_path / "a.parquet")


@pytest.mark.parametrize("longer", [0, 1])
def test_parallel_files_of_unequal_length_are_counted(write, longer):
    files = [write("t.en", "a\n" * 3), write("t.de", "b\n" * 3)]
    files[longer] = write(files[longer].name, "c\n" * 5)
    with pytest.raises(ValueError, match="equally many lines") as error:
        read(files)
    for i, file in enumerate(files):
        assert f"{file} with {5 if i == longer else 3} lines" in str(error.value)


def test_a_parallel_file_may_not_be_empty_alone(write):
    with pytest.raises(ValueError, match=r"t\.en with 0 lines, .*t\.de with 2 lines"):
        read([write("t.en", ""), write("t.de", "a\nb\n")])


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.csv.gz", gzip.compress(b"text\n" + bytes(99999))[:-20]),
        ("a.csv.xz", lzma.compress(b"text\n" + bytes(99999))[:-20]),
        ("a.csv.bz2", bz2.compress(b"text\n" + bytes(99999))[:-20]),
        ("a.csv.gz", b"text\nno gzip\n"),
        ("a.csv.xz", b"text\nno xz\n"),
        ("a.csv.bz2", b"text\nno bz2\n"),
    ],
)
def test_a_damaged_archive_is_named(write, name, content):
    with pytest.raises(ValueError, match=rf"{name} is damaged"):
        read(write(name, content))


@pytest.mark.parametrize("name", ["a.parquet", "a.parquet.gz"])
def test_a_damaged_parquet_file_is_named(write, name):
    with pytest.raises(ValueError, match=rf"{name}: expected a whole parquet file"):
        read(write(name, b"PAR1 no parquet"))


def test_blank_lines_at_the_end_of_one_file_do_not_count(write):
    source, target = write("a.en", "one\ntwo\n\n \n"), write("a.de", "eins\nzwei\n")
    for files in ([source, target], [target, source]):
        assert len(read(files)) == 2
    longer = write("b.en", "one\ntwo\n\nfour\n")
    with pytest.raises(ValueError, match="b.en with 4 lines.*a.de with 2 lines"):
        read([longer, target])


def test_semicolons_between_fields(write):
    path = write("a.csv", 'Betreff;Text\nA;"eins; zwei"\n')
    with pytest.raises(ValueError, match="'Betreff;Text'. .* pass delimiter=';'"):
        read(path)
    rows = read(path, text="Text", delimiter=";")
    assert rows["text"][:] == ["eins; zwei"]


def test_a_delimiter_is_for_csv_alone(tmp_path):
    path = tmp_path / "mail.tsv"
    path.write_text("text;label\na;b\n")
    with pytest.raises(ValueError, match=r"with .csv alone. Received: .*mail.tsv"):
        read(path, delimiter=";")
    with pytest.raises(ValueError, match=r"Name the file .csv and pass delimiter=';'"):
        read(path)
