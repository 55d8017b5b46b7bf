import bz2
import gzip
import json

import pytest

from kftune.data.pretraining_corpus import (
    PretrainingCorpus,
    load_corpora,
    read_pretraining_corpora,
)


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def test_passages_keep_corpus_document_label_and_split(tmp_path):
    rows = [
        {"text": "a fine film . i liked it .", "label": "pos", "fold": 0},
        {"text": "dull .", "label": "neg", "fold": 9},
        {"text": "so ?", "label": None, "fold": 1},
    ]
    write_jsonl(tmp_path / "films.jsonl", rows)
    corpus = PretrainingCorpus(
        "films",
        "films.jsonl",
        label="label",
        praise=("pos",),
        criticism=("neg",),
        tokenized=True,
        validation="fold=9",
    )
    read = read_pretraining_corpora([corpus], tmp_path)
    assert list(read["text"]) == ["A fine film.", "I liked it.", "Dull.", "So?"]
    assert list(read["praise"]) == [1.0, 1.0, 0.0, None]
    assert list(read["document"]) == [0, 0, 1, 2]
    assert list(read["validation"]) == [False, False, True, False]
    assert set(read["corpus"]) == {"films"}


def test_columns_may_hold_lists_and_speakers(tmp_path):
    write_jsonl(
        tmp_path / "d.jsonl",
        [
            {
                "turns": [["U", "Hello."], ["S", "Hi there."]],
                "target": ["One.", "Two."],
            },
            {"turns": None, "target": "Three."},
        ],
    )
    corpus = PretrainingCorpus("d", "d.jsonl", text=("turns", "target"), cut=False)
    texts = list(read_pretraining_corpora([corpus], tmp_path)["text"])
    assert texts == ["Hello.", "Hi there.", "One.", "Two.", "Three."]


def test_paragraphs_end_at_blank_lines(tmp_path):
    lines = "A wrapped\nsentence.\n\n\nAnother\none.\n"
    with gzip.open(tmp_path / "book.txt.gz", "wt") as file:
        file.write(lines)
    corpus = PretrainingCorpus("book", "book.txt.gz", paragraphs=True)
    texts = list(read_pretraining_corpora([corpus], tmp_path)["text"])
    assert texts == ["A wrapped sentence.", "Another one."]


def test_about_one_row_in_fifty_is_held_out(tmp_path):
    (tmp_path / "t.txt").write_text("".join(f"Line number {i}.\n" for i in range(5000)))
    corpus = PretrainingCorpus("t", "t.txt")
    read = read_pretraining_corpora([corpus], tmp_path)
    again = read_pretraining_corpora([corpus], tmp_path)
    assert 70 < sum(read["validation"]) < 130
    assert list(read["validation"]) == list(again["validation"])


def test_all_missing_files_are_named(tmp_path):
    corpora = [PretrainingCorpus("a", "a.txt"), PretrainingCorpus("b", "b.tsv")]
    with pytest.raises(FileNotFoundError, match="a.txt, b.tsv"):
        read_pretraining_corpora(corpora, tmp_path)


def test_a_missing_column_is_named_with_its_line(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", [{"text": "x", "label": 1}, {"text": "y"}])
    corpus = PretrainingCorpus("a", "a.jsonl", label="label")
    with pytest.raises(ValueError, match=r"line 2.*\['label'\].*\['text'\]"):
        read_pretraining_corpora([corpus], tmp_path)


def test_an_unknown_suffix_is_refused():
    with pytest.raises(ValueError, match="'a.docx'"):
        PretrainingCorpus("a", "a.docx")


def test_formats_are_those_of_read(tmp_path):
    (tmp_path / "A.CSV.bz2").write_bytes(bz2.compress(b"text,n\nOne.,1\n"))
    (tmp_path / "b.ndjson").write_text('{"text": "Two."}\n')
    corpora = [PretrainingCorpus("a", "A.CSV.bz2"), PretrainingCorpus("b", "b.ndjson")]
    texts = list(read_pretraining_corpora(corpora, tmp_path)["text"])
    assert texts == ["One.", "Two."]


# === load_corpora


def load(tmp_path, content):
    path = tmp_path / "corpora.yaml"
    path.write_text(content, "utf-8")
    return load_corpora(path)


def test_corpora_come_from_yaml(tmp_path):
    corpora = load(
        tmp_path,
        "- {name: a, file: a.txt, praise: }\n"
        "- {name: b, file: b.tsv, text: body, praise: [1, yes], criticism: 0}\n",
    )
    assert corpora == [
        PretrainingCorpus("a", "a.txt"),
        PretrainingCorpus(
            "b", "b.tsv", text=("body",), praise=("1", "True"), criticism=("0",)
        ),
    ]
    assert hash(corpora[0]) == hash(PretrainingCorpus("a", "a.txt"))


def test_labels_that_are_numbers_in_yaml_are_found(tmp_path):
    write_jsonl(
        tmp_path / "a.jsonl",
        [{"text": "Good.", "stars": 5}, {"text": "Bad.", "stars": 1}],
    )
    corpora = load(
        tmp_path,
        "- {name: a, file: a.jsonl, label: stars, praise: [5], criticism: [1]}",
    )
    assert list(read_pretraining_corpora(corpora, tmp_path)["praise"]) == [1.0, 0.0]


@pytest.mark.parametrize(
    ("content", "received"),
    [
        (
            "- {name: a, file: a.txt, tag: x, 7: y}",
            r"unknown keys \['7', 'tag'\]",
        ),
        ("- {name: a}", r"without name or file \[{'name': 'a'}\]"),
        ("- {file: a.txt}", r"without name or file \[{'file': 'a.txt'}\]"),
        ("- {name: a, file: a.txt}\n- {name: a, file: b.txt}", r"names \['a', 'a'\]"),
        ("name: a\nfile: a.txt", r"expected a YAML list.*{'name': 'a'"),
        ("- a.txt", r"expected a YAML list.*\['a.txt'\]"),
        ("", r"expected a YAML list.*None"),
    ],
)
def test_a_file_that_is_no_list_of_corpora_is_refused(tmp_path, content, received):
    with pytest.raises(ValueError, match=rf"corpora\.yaml: .*{received}"):
        load(tmp_path, content)
