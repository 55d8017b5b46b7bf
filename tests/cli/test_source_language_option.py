import json

import keras
import pytest
from toy_pairs import save_tiny_preset
from translation_files import SOURCE, write_m2m100_files

from kftune.cli.main import main
from kftune.models import (
    TransformerBackbone,
    TransformerSeq2SeqLM,
    TransformerSeq2SeqLMPreprocessor,
)
from kftune.models.tokenizers.m2m100_tokenizer import M2M100Tokenizer

TOKENS = {code: f"__{code}__" for code in ("de", "en", "fr")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A saved model of random weights that was not told its source's language."""
    files = write_m2m100_files(tmp_path_factory.mktemp("files"))
    vocabulary = json.loads((files / "vocab.json").read_text("utf-8"))
    vocabulary |= {t: len(vocabulary) + i for i, t in enumerate(TOKENS.values())}
    proto = (files / "sentencepiece.bpe.model").read_bytes()
    tokenizer = M2M100Tokenizer(proto, vocabulary, TOKENS)
    keras.utils.set_random_seed(3)
    backbone = TransformerBackbone(len(vocabulary), 1, 2, 8, 16, initializer_stddev=1.0)
    preprocessor = TransformerSeq2SeqLMPreprocessor(tokenizer, 64, 12)
    folder = tmp_path_factory.mktemp("model")
    TransformerSeq2SeqLM(backbone, preprocessor).save_to_preset(folder)
    return folder


@pytest.mark.long
def test_a_model_is_told_the_language_of_the_source(
    folder, tmp_path, capfdbinary, monkeypatch
):
    text = tmp_path / "a.txt"
    text.write_text("\n".join(SOURCE) + "\n", "utf-8")
    argv = ["translate", str(text), "--model", str(folder), "--num-beams", "1"]
    argv += ["--target-language", "de"]
    assert main(argv) == 1
    assert b"set tokenizer.source_language" in capfdbinary.readouterr().err

    told, generate = [], TransformerSeq2SeqLM.generate

    def noting(self, texts, **options):
        told.append(self.preprocessor.tokenizer.source_language)
        return generate(self, texts, **options)

    monkeypatch.setattr(TransformerSeq2SeqLM, "generate", noting)
    assert main([*argv, "--source-language", "fr"]) == 0
    assert set(told) == {"fr"}
    task = TransformerSeq2SeqLM.from_preset(folder)
    task.compile(sampler="greedy")
    task.preprocessor.tokenizer.source_language = "fr"
    made = capfdbinary.readouterr().out.decode().splitlines()
    assert made == task.generate(SOURCE, target_language="de")


def test_other_languages_and_models_are_refused(folder, tmp_path, capsys):
    argv = ["translate", "--source-language", "xx", "--model"]
    assert main([*argv, str(folder)]) == 1
    assert "['de', 'en', 'fr']. Received: 'xx'" in capsys.readouterr().err
    save_tiny_preset(tmp_path)
    assert main([*argv, str(tmp_path)]) == 1
    assert "M2M100 and NLLB only" in capsys.readouterr().err
