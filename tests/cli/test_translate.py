import io
import os
import sys
import types

import keras
import pytest
from translation_files import SOURCE, write_marian_files

from kftune.cli.line_output import open_output
from kftune.cli.main import main
from kftune.decoding import BeamSearch
from kftune.models import (
    DecodingSettings,
    TransformerBackbone,
    TransformerSeq2SeqLM,
    TransformerSeq2SeqLMPreprocessor,
)
from kftune.models.tokenizers.marian_tokenizer import MarianTokenizer

LIMIT = 100
LONG = " ".join(SOURCE * 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A saved model of random weights."""
    tokenizer = MarianTokenizer()
    tokenizer.load_assets(write_marian_files(tmp_path_factory.mktemp("files")))
    keras.utils.set_random_seed(3)
    backbone = TransformerBackbone(
        tokenizer.vocabulary_size(), 1, 2, 8, 16, initializer_stddev=1.0
    )
    preprocessor = TransformerSeq2SeqLMPreprocessor(tokenizer, LIMIT, 12)
    settings = DecodingSettings(num_beams=3, length_penalty=0.5)
    task = TransformerSeq2SeqLM(backbone, preprocessor, settings)
    folder = tmp_path_factory.mktemp("model")
    task.save_to_preset(folder)
    return folder


@pytest.fixture
def searches(monkeypatch):
    """Notes how each beam search was made."""
    made = []
    make = BeamSearch.from_settings

    def from_settings(settings, **changes):
        made.append({**settings.stated(), **changes})
        return make(settings, **changes)

    monkeypatch.setattr(BeamSearch, "from_settings", from_settings)
    return made


def run(capsysbinary, *argv):
    status = main(["translate", *map(str, argv)])
    out, err = capsysbinary.readouterr()
    return status, out.decode("utf-8"), err.decode("utf-8")


def expected_lines(folder, texts, num_beams):
    """What `generate` makes of each text by itself."""
    task = TransformerSeq2SeqLM.from_preset(folder)
    search = BeamSearch(num_beams, length_penalty=0.5)
    task.compile(sampler=search, jit_compile=False)
    return [task.generate(text) if text.strip() else "" for text in texts]


@pytest.mark.long
def test_files_become_lines_in_order(folder, searches, capsysbinary, tmp_path):
    texts = [SOURCE[1], "", LONG, "good", " \t", *SOURCE, "The film\ufffd"]
    raw = "\n".join(texts).encode().replace("\ufffd".encode(), b"\xff")
    (tmp_path / "a.txt").write_bytes(raw[:40])
    (tmp_path / "b.txt").write_bytes(raw)
    texts = [raw[:40].decode(), *texts]
    files = [tmp_path / "a.txt", tmp_path / "b.txt"]
    status, out, err = run(capsysbinary, "--model", folder, *files)
    assert status == 0
    expected = expected_lines(folder, texts, num_beams=3)
    assert out == "".join(line + "\n" for line in expected)
    assert len(set(expected)) > 4
    assert searches == [{"num_beams": 3, "length_penalty": 0.5}]
    assert "lines 1 to 10: 8 of 8" in err
    assert f"lines over {LIMIT} tokens, cut: 4" in err
    assert "no UTF-8, which became U+FFFD: 10" in err


@pytest.mark.long
def test_standard_input_and_an_output_file(
    folder, searches, capsysbinary, tmp_path, monkeypatch
):
    stdin = types.SimpleNamespace(buffer=io.BytesIO(b"good\r\n\r\nbad\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    output = tmp_path / "out.txt"
    argv = ["--model", folder, "--output", output, "--num-beams", 2]
    assert run(capsysbinary, *argv)[:2] == (0, "")
    expected = expected_lines(folder, ["good", "", "bad"], num_beams=2)
    assert output.read_bytes() == "".join(line + "\n" for line in expected).encode()
    assert searches[0]["num_beams"] == 2


def test_n_best_lines_have_number_score_and_text(
    folder, searches, capsysbinary, tmp_path, monkeypatch
):
    calls = []

    def generate(self, texts, **options):
        calls.append(options)
        return [[(f"{t}\n{n}", -n / 3) for n in range(2)] for t in texts]

    monkeypatch.setattr(TransformerSeq2SeqLM, "generate", generate)
    (tmp_path / "a").write_text("eins\n\nzwei", "utf-8")
    argv = ["--model", folder, tmp_path / "a", "--n-best", 2, "--max-length", 7]
    _, out, _ = run(capsysbinary, *argv, "--target-language", "deu")
    assert out.split("\n") == [
        "1\t0.0000\teins 0",
        "1\t-0.3333\teins 1",
        "2\t0.0000\t",
        "2\t0.0000\t",
        "3\t0.0000\tzwei 0",
        "3\t-0.3333\tzwei 1",
        "",
    ]
    assert calls[0] == {
        "max_length": 7,
        "target_language": "deu",
        "num_return_sequences": 2,
        "return_scores": True,
    }


def test_a_failure_leaves_no_file_behind(
    folder, searches, capsysbinary, tmp_path, monkeypatch
):
    def generate(self, texts, **options):
        print("a word on the standard output")
        raise ValueError("no such language")

    monkeypatch.setattr(TransformerSeq2SeqLM, "generate", generate)
    (tmp_path / "in").write_text("eins", "utf-8")
    (tmp_path / "out").write_text("old", "utf-8")
    argv = ["--model", folder, tmp_path / "in", "--output", tmp_path / "out"]
    status, out, err = run(capsysbinary, *argv)
    assert (status, out) == (1, "")
    assert err.endswith("kftune translate: no such language\n")
    assert (tmp_path / "out").read_text("utf-8") == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "out"]


def test_no_lines_make_no_lines(folder, searches, capsysbinary, tmp_path):
    (tmp_path / "in").write_text("", "utf-8")
    status, out, _ = run(capsysbinary, "--model", folder, tmp_path / "in")
    assert (status, out) == (0, "")
    (tmp_path / "in").write_text("\n \n", "utf-8")
    assert run(capsysbinary, "--model", folder, tmp_path / "in")[1] == "\n\n"


def test_wrong_arguments_are_refused_before_the_model_loads(capsys, tmp_path):
    with pytest.raises(SystemExit) as stopped:
        main(["translate", "--model", "m", "--num-beams", "0"])
    assert stopped.value.code == 2
    assert "--num-beams: expected 1 or more. Received: 0" in capsys.readouterr().err
    missing = str(tmp_path / "no.txt")
    assert main(["translate", "--model", "m", missing]) == 1
    assert f"kftune translate: Expected files to read. Missing: ['{missing}']" in (
        capsys.readouterr().err
    )


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with open_output(str(pipe)) as output:
        output.write(b"a line\n")
    assert os.read(reader, 99) == b"a line\n"
    os.close(reader)
    assert pipe.is_fifo()
