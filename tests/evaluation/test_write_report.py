import csv
import json
import re

import numpy as np
import pytest

from kftune.evaluation import (
    AttentionMap,
    bootstrap_intervals,
    describe_overfitting,
    wilson_interval,
    write_outputs,
    write_results,
)
from kftune.evaluation.write_report import write_report
from kftune.training import read_runs
from tests.evaluation.page_reader import PageReader
from tests.evaluation.report_runs import (
    PAIRS,
    SCRIPT,
    write_classifier,
    write_translator,
)


@pytest.fixture
def read_report(tmp_path):
    def read(*folders, **options):
        path = tmp_path / "report.html"
        write_report(read_runs(folders), path, **options)
        return PageReader(path.read_text("utf-8"))

    return read


@pytest.fixture
def pair(tmp_path):
    return (
        write_classifier(tmp_path / "all"),
        write_classifier(tmp_path / "head", freeze="backbone", accuracy=0.8),
    )


def bracket(text):
    return [float(number) for number in re.search(r"\[(.*), (.*)\]", text).groups()]


def test_runs_stand_side_by_side(read_report, pair):
    page = read_report(*pair)
    assert page.tables["Runs"] == [
        ["", "all", "head"],
        ["finished", *["2026-01-02T03:04:05+00:00"] * 2],
        ["epochs", "2", "2"],
    ]
    assert page.tables["Time"][1] == ["times: fit", "12,346", "12,346"]
    assert ["data: rows: test", "200", "200"] in page.tables["Data"]
    assert page.tables["What is trained"] == [
        ["", "all", "head"],
        ["≠ frozen", "nothing", "backbone"],
        ["slots of the optimizer", "2.00 MiB", "2.00 MiB"],
        ["≠ all", "1,520 of 1,520", "20 of 1,520"],
        ["≠ block_0", "1,500 of 1,500", "0 of 1,500"],
    ]


def test_settings_that_differ_are_marked(read_report, pair):
    page = read_report(*pair)
    rows = page.tables["Settings"]
    assert ["≠ freeze", "nothing", "backbone"] in rows
    assert ["epochs", "2", "2"] in rows
    assert page.marked == ["≠ freeze", "≠ frozen", "≠ all", "≠ block_0"]


def test_a_run_has_a_column_where_it_has_values(read_report, pair, tmp_path):
    (tmp_path / "going").mkdir()
    (tmp_path / "going" / "settings.json").write_text('{"epochs": 2}')
    page = read_report(*pair, tmp_path / "going")
    assert page.tables["Scores"][0] == ["", "all", "head"]
    assert page.tables["Settings"][0] == ["", "all", "head", "going"]
    assert ["≠ freeze", "nothing", "backbone", "-"] in page.tables["Settings"]
    assert ["epochs", "2", "2", "2"] in page.tables["Settings"]


def test_a_run_alone_has_nothing_marked(read_report, pair):
    assert read_report(pair[0]).marked == []


def test_accuracies_have_wilsons_interval_of_the_test_rows(read_report, pair):
    rows = {name: cells for name, *cells in read_report(*pair).tables["Scores"]}
    for text, accuracy in zip(rows["test: accuracy"], (0.75, 0.8), strict=True):
        assert text.startswith(f"{accuracy} [")
        assert bracket(text) == pytest.approx(wilson_interval(accuracy, 200), abs=1e-4)
    low, high = bracket(rows["baselines: majority: accuracy"][0])
    assert (low, high) == pytest.approx(wilson_interval(0.5, 200), abs=1e-4)
    assert rows["test: macro_f1"] == ["0.7", "0.7"]


@pytest.mark.parametrize("part", ["", "en-de"])
def test_bleu_has_the_interval_of_the_bootstrap(read_report, tmp_path, part):
    page = read_report(write_translator(tmp_path / "run", part))
    rows = dict(page.tables["Scores"])
    _, targets, outputs = zip(*PAIRS, strict=True)
    prefix = f"test: {part}: " if part else "test: "
    for case in ("cased", "lower_cased"):
        lowercase = case == "lower_cased"
        told = bootstrap_intervals(outputs, targets, lowercase=lowercase)
        for metric, (score, low, high) in told.items():
            text = rows[f"{prefix}{case}: corpus: {metric}"]
            assert float(text.split()[0]) == pytest.approx(score, rel=1e-3)
            assert bracket(text) == pytest.approx((low, high), rel=1e-3)


def test_translations_that_were_not_scored_give_no_interval(read_report, tmp_path):
    folder = write_translator(tmp_path / "run")
    with (folder / "translations.tsv").open("a", encoding="utf-8") as file:
        csv.writer(file, delimiter="\t").writerow(
            ["More.", "Mehr davon.", "Noch mehr."]
        )
    rows = dict(read_report(folder).tables["Scores"])
    assert "[" not in rows["test: cased: corpus: bleu"]


def test_samples_of_the_same_sources_stand_side_by_side(read_report, tmp_path):
    folders = [write_translator(tmp_path / name) for name in "ab"]
    rows = read_report(*folders).tables["Samples"]
    assert rows[0] == ["", "source", "target", "a: translation", "b: translation"]
    assert rows[1] == ["1", *PAIRS[0], PAIRS[0][-1]]
    assert len(rows) == 1 + 10


def test_what_was_written_to_order_is_scored_and_shown(read_report, tmp_path):
    folder = tmp_path / "reviews"
    generated = {"control_accuracy": 0.8, "interval": (0.7, 0.9)}
    write_results(folder / "results.json", settings={}, generated=generated)
    columns = {"source": ["fresh"], "target": ["A treat."], "judged": ["rotten"]}
    write_outputs(folder / "samples.tsv", generated=["Fun."], **columns)
    page = read_report(folder)
    scores = dict(page.tables["Scores"])
    assert scores["generated: control_accuracy"] == "0.8"
    assert scores["generated: interval"] == "[0.7, 0.9]"
    names, row = page.tables["Samples"]
    assert names[1:] == ["source", "target", "reviews: generated", "reviews: judged"]
    assert row[1:] == ["fresh", "A treat.", "Fun.", "rotten"]


def test_nothing_from_a_file_becomes_markup(read_report, pair):
    page = read_report(*pair, attention={SCRIPT: [attention_of(SCRIPT)]})
    assert "script" not in page.tags
    assert ["data", SCRIPT, SCRIPT] in page.tables["Settings"]
    assert any(SCRIPT in text for text in page.alternatives)


def test_the_page_needs_nothing_else(read_report, pair):
    page = read_report(*pair, attention={"all": [attention_of("Hi")]})
    assert page.outside == []
    assert len(set(page.ids)) == len(page.ids) > 0
    assert page.tags.count("svg") == 3 and page.tags.count("img") == 2
    assert page.alternatives == [
        "loss by epoch",
        "accuracy by epoch",
        "Confusion matrix: all",
        "Confusion matrix: head",
        "Attention in the last block of all, mean of the heads: Hi",
    ]


def test_the_same_folders_give_the_same_file(read_report, pair, tmp_path):
    read_report(*pair)
    before = (tmp_path / "report.html").read_bytes()
    read_report(*pair)
    assert (tmp_path / "report.html").read_bytes() == before


def test_a_run_without_results_and_texts_of_half_a_character(read_report, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "settings.json").write_text(r'{"data": "\ud83d"}')
    page = read_report(tmp_path / "run")
    assert list(page.tables) == ["Runs", "Settings"]
    assert ["finished", "no results yet"] in page.tables["Runs"]
    assert ["data", "?"] in page.tables["Settings"]


def test_a_search_shows_its_best_settings_and_figures(read_report, tmp_path):
    found = {"best": {"dropout": 0.2}, "trial": 3, "value": 0.75}
    folder = write_classifier(tmp_path / "search", **found)
    (folder / "confusion.png").rename(folder / "slices.png")
    page = read_report(folder)
    assert ["best: dropout", "0.2"] in page.tables["Search"]
    assert ["trial", "3"] in page.tables["Search"]
    assert "Trials by setting: search" in page.alternatives


def test_overfitting_is_told_from_the_history(read_report, tmp_path):
    folder = write_classifier(tmp_path / "run")
    rows = read_report(folder).tables["Overfitting"]
    (run,) = read_runs([folder])
    assert rows[1] == ["", describe_overfitting(run.history)]


@pytest.mark.parametrize(
    "results",
    [
        {"freezing": [1], "data": "none", "test": 3},
        {"freezing": {"policy": 1, "blocks": [3, {"name": "a"}], "optimizer_bytes": 0}},
        {"test": {"accuracy": "high"}, "data": {"rows": {"test": "few"}}},
        {"test": {"cased": {"corpus": {"bleu": None, "rouge": 3.0}}}},
    ],
)
def test_results_of_another_form_are_shown_as_they_are(read_report, tmp_path, results):
    folder = write_translator(tmp_path / "run")
    (folder / "results.json").write_text(json.dumps({"settings": {}, **results}))
    scores = read_report(folder).tables.get("Scores", [])
    assert not any("[" in cell for row in scores for cell in row)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("confusion.png", b"GIF", "Expected a PNG. Received: .*confusion.png"),
        ("a.tsv", b"source\ttarget\tmade\na\tb\n", "1 other rows.* row 1"),
        ("a.tsv", b"source\ttarget\tmade\n\xff\tb\tc\n", "a.tsv is no whole table"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, message):
    folder = write_classifier(tmp_path / "run")
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        write_report(read_runs([folder]), tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def attention_of(text):
    return AttentionMap(text, ("<s>", SCRIPT), np.array([[1.0, 0.0], [0.25, 0.75]]))
