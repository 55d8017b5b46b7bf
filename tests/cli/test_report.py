import shutil

import pytest

from kftune.cli.main import main
from kftune.models.pretrained.preset_catalog import SHIPPED_FOLDER
from tests.evaluation.page_reader import PageReader
from tests.evaluation.report_runs import write_classifier, write_translator


@pytest.fixture
def folder(tmp_path):
    return write_classifier(tmp_path / "reviews")


@pytest.fixture
def run(capsys, tmp_path):
    def run(*argv):
        status = main(["report", *map(str, argv), "--output", str(tmp_path / "r.html")])
        return status, *capsys.readouterr()

    return run


def test_a_page_of_several_runs(run, folder, tmp_path):
    other = write_translator(tmp_path / "translation")
    status, out, _ = run(folder, other)
    page = tmp_path / "r.html"
    assert (status, out) == (0, f"Written to {page}: reviews, translation\n")
    tables = PageReader(page.read_text("utf-8")).tables
    assert tables["Runs"][0] == ["", "reviews", "translation"]


def test_attention_of_the_models_of_runs(run, folder, tmp_path):
    shutil.copytree(SHIPPED_FOLDER / "transformer_tiny_en_de", folder / "model")
    (tmp_path / "sentences.txt").write_text("One <b>.\n\nTwo.\n")
    options = ["--sentence", "Three.", "--sentences", tmp_path / "sentences.txt"]
    status, _, err = run(folder, *options)
    assert status == 0, err
    page = PageReader((tmp_path / "r.html").read_text("utf-8"))
    shown = [text for text in page.alternatives if "Attention" in text]
    ends = [text.rpartition("heads: ")[2] for text in shown]
    assert ends == ["Three.", "One <b>.", "Two."]


def test_runs_without_a_model_have_no_attention(run, folder, tmp_path):
    other = write_translator(tmp_path / "translation")
    status, _, err = run(folder, other, "--sentence", "Hi.")
    assert status == 1
    assert f"Missing in: {folder}, {other}" in err
    assert not (tmp_path / "r.html").exists()


def test_foreign_folders_are_one_error(run, folder, tmp_path):
    (tmp_path / "foreign").mkdir()
    status, _, err = run(folder, tmp_path / "foreign", tmp_path / "nowhere")
    assert status == 1
    assert f"{tmp_path / 'foreign'}: neither settings.json nor results.json" in err
    assert f"{tmp_path / 'nowhere'}: no such folder" in err
    assert not (tmp_path / "r.html").exists()
