import pytest
from datasets import ClassLabel, Dataset, Features, Value

from kftune.data import CleaningReport, clean


def rows_of(texts, **columns):
    return Dataset.from_dict({"text": texts, **columns})


@pytest.mark.parametrize(
    "broken, mended",
    [
        ("The cafÃ© â€œAulaâ€\x9d", "The café “Aula”"),
        ("a\0b", "ab"),
        ("a\r\nb", "a\nb"),
        ("e\u0301", "é"),
        ("\x1b[31mred\x1b[0m", "red"),
    ],
)
def test_broken_text_is_mended_and_counted(broken, mended):
    rows, report = clean(rows_of(["fine", broken]))
    assert rows["text"][:] == ["fine", mended]
    assert report == CleaningReport(rows_before=2, mended=1)


@pytest.mark.parametrize(
    "text", ["“Fine” ﬁne — naïve…", "a &amp; <b>", "\uff21\uff22 ½", "¡ÁÉ!"]
)
def test_text_that_is_not_broken_stays(text):
    rows, report = clean(rows_of([text]))
    assert rows["text"][:] == [text]
    assert report.mended == 0


def test_blank_rows_are_dropped():
    rows, report = clean(rows_of(["a", "", " \n\t", None, "\0", "\u2003"]))
    assert rows["text"][:] == ["a"]
    assert (report.blank, report.rows_after) == (5, 1)


def test_overlong_rows_are_dropped():
    texts = ["x" * 1_000_000, "y" * 20_000, "z" * 20_001]
    rows, report = clean(rows_of(texts))
    assert rows["text"][:] == ["y" * 20_000]
    assert report.overlong == 2
    assert clean(rows_of(texts), max_chars=None)[1].overlong == 0
    assert clean(rows_of(["ab", "abc"]), max_chars=2)[0]["text"][:] == ["ab"]


def test_of_equal_texts_the_first_stays():
    texts = ["Good film.", "other", "good  FILM.\n", "Good film.", "good film"]
    rows, report = clean(rows_of(texts, label=["p", "n", "p", "p", "p"]))
    assert rows["text"][:] == ["Good film.", "other", "good film"]
    assert report == CleaningReport(rows_before=5, duplicate=2)


def test_texts_that_are_equal_once_mended_are_duplicates():
    rows, report = clean(rows_of(["café", "cafÃ©"]))
    assert rows["text"][:] == ["café"]
    assert (report.mended, report.duplicate) == (1, 1)


def test_equal_texts_with_different_labels_all_go():
    texts = ["same", "Same", "other", "same"]
    rows, report = clean(rows_of(texts, label=["p", "n", "p", "p"]))
    assert rows["text"][:] == ["other"]
    assert report == CleaningReport(rows_before=4, conflicting=3)


def test_equal_texts_with_different_scores_are_duplicates():
    rows, report = clean(rows_of(["same", "same"], label=[0.5, 0.7]))
    assert rows["label"][:] == [0.5]
    assert report.duplicate == 1


def test_lists_of_labels_are_compared():
    texts = ["a", "a", "b", "b"]
    rows, report = clean(rows_of(texts, label=[[0], [0], [0, 1], []]))
    assert rows.to_list() == [{"text": "a", "label": [0]}]
    assert (report.duplicate, report.conflicting) == (1, 2)


@pytest.mark.parametrize(
    "labels", [["p", None, "", " "], [1, None, None, None], [0.5, None, float("nan")]]
)
def test_rows_without_a_label_are_dropped(labels):
    texts = [f"text {i}" for i in range(len(labels))]
    rows, report = clean(rows_of(texts, label=labels))
    assert rows["text"][:] == ["text 0"]
    assert report.unlabelled == len(labels) - 1


def test_the_unknown_class_is_a_missing_label():
    features = Features(
        {"text": Value("string"), "label": ClassLabel(names=["n", "p"])}
    )
    rows = Dataset.from_dict({"text": ["a", "b"], "label": [-1, 1]}, features)
    rows, report = clean(rows)
    assert rows.to_list() == [{"text": "b", "label": 1}]
    assert rows.features == features
    assert report.unlabelled == 1


def test_minus_one_is_a_label_of_its_own_for_plain_numbers():
    assert clean(rows_of(["a", "b"], label=[-1, 1]))[1].unlabelled == 0


def test_an_empty_list_is_a_label():
    assert clean(rows_of(["a", "b"], label=[[], [1]]))[1].unlabelled == 0


def test_another_label_column_is_checked_when_named():
    rows = rows_of(["a", "b"], stars=[1, None])
    assert clean(rows)[1].unlabelled == 0
    assert clean(rows, label="stars")[1].unlabelled == 1


def test_parallel_rows_are_the_same_if_both_sides_are():
    rows = Dataset.from_dict(
        {
            "source": ["a", "a", "A", "b", "", "ab", "abc"],
            "target": ["x", "y", "X", "\0", "z", "cd", "d"],
        }
    )
    rows, report = clean(rows)
    assert rows.to_list() == [
        {"source": "a", "target": "x"},
        {"source": "a", "target": "y"},
        {"source": "ab", "target": "cd"},
        {"source": "abc", "target": "d"},
    ]
    assert report == CleaningReport(rows_before=7, mended=1, blank=2, duplicate=1)


def test_the_report_is_printed(capsys):
    texts = ["a", "A", "cafÃ©", "", "bb", "bb", "x" * 99]
    labels = ["p", "p", "p", "p", "p", "n", "p"]
    rows, report = clean(rows_of([*texts, "c"], label=[*labels, None]), max_chars=90)
    printed = (
        "Cleaning: 8 rows, 1 mended, dropped 1 unlabelled, 1 blank, 1 overlong, "
        "2 conflicting, 1 duplicate; 2 rows are left."
    )
    assert printed in capsys.readouterr().out
    assert str(report) == printed
    assert rows.num_rows == report.rows_after == 2


def test_nothing_left_is_an_error():
    with pytest.raises(ValueError, match="2 blank"):
        clean(rows_of(["", " "]))


@pytest.mark.parametrize(
    "columns, text, given",
    [({"body": ["a"]}, "body", None), ({"text": [1]}, "int64", None)],
)
def test_without_text_the_columns_are_listed(columns, text, given):
    with pytest.raises(ValueError, match=rf"text=\.\.\..*{text}"):
        clean(Dataset.from_dict(columns), columns=given)


def test_columns_may_be_named():
    rows, _ = clean(Dataset.from_dict({"body": ["a", " "]}), columns=["body"])
    assert rows["body"][:] == ["a"]
    with pytest.raises(ValueError, match=r"\['bodi'\].*'body'"):
        clean(rows, columns=["bodi"])


def test_a_list_is_no_dataset():
    with pytest.raises(TypeError, match=r"Dataset.from_dict.*Received: list"):
        clean(["a", "b"])


def test_more_rows_than_one_batch():
    texts = [f"text {i % 3000}" for i in range(4000)]
    rows, report = clean(rows_of(texts))
    assert rows["text"][:] == texts[:3000]
    assert report.duplicate == 1000


def test_labels_that_differ_by_white_space_agree():
    rows, report = clean(
        rows_of(["a bill", "a bill", "b"], label=["Cash", "Cash ", "x"])
    )
    assert report == CleaningReport(rows_before=3, duplicate=1)
    assert rows["text"][:] == ["a bill", "b"]
