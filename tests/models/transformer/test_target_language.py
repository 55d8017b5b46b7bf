import json

import pytest
import tensorflow as tf
from translation_files import SOURCE, write_m2m100_files, write_marian_files

from kftune.decoding import BeamSearch
from kftune.models import (
    M2M100Tokenizer,
    MarianTokenizer,
    TransformerBackbone,
    TransformerSeq2SeqLM,
    TransformerSeq2SeqLMPreprocessor,
)

SHORT = [text[:20] for text in SOURCE]


def make_task(tokenizer, randomised):
    backbone = TransformerBackbone(
        tokenizer.vocabulary_size(), 1, 2, 8, 16, dropout=0, max_sequence_length=40
    )
    preprocessor = TransformerSeq2SeqLMPreprocessor(tokenizer, 32, 12)
    task = TransformerSeq2SeqLM(randomised(backbone), preprocessor)
    task.compile(sampler=BeamSearch(2), jit_compile=False)
    return task


@pytest.fixture
def marian(tmp_path, randomised):
    write_marian_files(tmp_path)
    tokenizer = MarianTokenizer()
    tokenizer.load_assets(tmp_path)
    return make_task(tokenizer, randomised)


@pytest.fixture
def m2m100(tmp_path, randomised):
    write_m2m100_files(tmp_path)
    vocabulary = json.loads((tmp_path / "vocab.json").read_text("utf-8"))
    size = len(vocabulary)
    tokenizer = M2M100Tokenizer(
        (tmp_path / "sentencepiece.bpe.model").read_bytes(),
        {**vocabulary, "__de__": size, "__en__": size + 1, "__fr__": size + 2},
        {code: f"__{code}__" for code in ("de", "en", "fr")},
        "en",
        "de",
    )
    return make_task(tokenizer, randomised)


@pytest.mark.long
def test_marian_is_told_before_the_source(marian):
    tagged = [f">>fra<< {text}" for text in SHORT]
    scored = marian.generate(tagged, return_scores=True)
    assert scored != marian.generate(SHORT, return_scores=True)
    told = {"target_language": "fra", "return_scores": True}
    assert marian.generate(SHORT, **told) == scored
    ((text, score),) = marian.generate(SHORT[0], **told)
    assert text == scored[0][0][0]
    assert score == pytest.approx(scored[0][0][1], abs=1e-5)
    expected = marian.generate(tagged)
    assert marian.generate(SHORT, target_language="fra") == expected
    pairs = {"encoder_text": SHORT, "decoder_text": ["Der"] * 3}
    begun = marian.generate({**pairs, "encoder_text": tagged})
    assert marian.generate(pairs, target_language="fra") == begun
    assert pairs["encoder_text"] == SHORT
    batches = tf.data.Dataset.from_tensor_slices(SHORT).batch(2)
    assert marian.generate(batches, target_language="fra") == expected


def test_m2m100_is_told_for_one_call(m2m100):
    german = m2m100.generate(SHORT)
    m2m100.preprocessor.tokenizer.target_language = "fr"
    french = m2m100.generate(SHORT)
    m2m100.preprocessor.tokenizer.target_language = "de"
    assert french != german
    assert m2m100.generate(SHORT, target_language="fr") == french
    assert m2m100.generate(SHORT) == german
    with pytest.raises(ValueError):
        m2m100.generate(SHORT, max_length=1, target_language="fr")
    assert m2m100.preprocessor.tokenizer.target_language == "de"


def test_languages_that_nobody_knows_are_refused(marian, m2m100):
    with pytest.raises(ValueError, match=r"\['deu', 'fra'\]. Received: 'de'"):
        marian.generate(SHORT, target_language="de")
    with pytest.raises(ValueError, match="Received: 'xx'"):
        m2m100.generate(SHORT, target_language="xx")
    marian.preprocessor = None
    with pytest.raises(ValueError, match="no languages. Received: 'de' for NoneType"):
        marian.generate({}, stop_token_ids=[0], target_language="de")
