import json
import re

import pytest
from translation_files import SOURCE, TARGET

from kftune.models import (
    TransformerBackbone,
    TransformerSeq2SeqLM,
    TransformerSeq2SeqLMPreprocessor,
    save_to_hugging_face,
    train_marian_tokenizer,
)

TINY = ["--vocabulary=320", "--layers=1", "--hidden=32", "--max-tokens=256"]
RATIO = r"\d+\.\d\d \| \d+\.\d+ \(\d+\.\d+ to \d+\.\d+\) \|"


@pytest.fixture
def pairs(tmp_path):
    """Two parallel files of a few lines in several lengths."""
    files = [tmp_path / "train.en", tmp_path / "train.de"]
    for file, texts in zip(files, (SOURCE, TARGET), strict=True):
        lines = [" ".join(line.split()[: 3 + i]) for line in texts for i in range(9)]
        # Less than 100 pairs would have one length.
        file.write_text("\n".join(lines * 8) + "\n", encoding="utf-8")
    return "+".join(map(str, files))


@pytest.mark.slow
def test_length_buckets_against_a_fixed_length(run, pairs):
    printed = run("padding.py", "--train", pairs, *TINY, "--turns=2")
    shares = [float(share) for share in re.findall(r"([\d.]+)% padding", printed)]
    assert shares[0] < 40 < shares[1]
    assert re.search(rf"\| fixed length \| {RATIO}", printed)
    assert len(re.findall(r"\d+ target tokens/s", printed)) == 2


@pytest.mark.slow
def test_a_second_run_from_the_same_weights_has_the_same_loss(run, pairs, tmp_path):
    options = ["--train", pairs, *TINY, "--steps=60", "--out", str(tmp_path / "out")]
    run("backend_parity.py", *options)
    kept = tmp_path / "out" / "losses.json"
    (loss,) = json.loads(kept.read_text()).values()
    kept.write_text(json.dumps({"first": 2 * loss}))
    printed = run("backend_parity.py", *options)
    assert printed.endswith(f"loss {loss:.5f}, -50.000 % of first's\n")


@pytest.mark.slow
def test_beam_search_against_others(run, pairs, tmp_path):
    lines = [SOURCE * 9, TARGET * 9]
    tokenizer = train_marian_tokenizer(*lines, 320)
    preprocessor = TransformerSeq2SeqLMPreprocessor(tokenizer, 48, 48)
    backbone = TransformerBackbone(
        tokenizer.vocabulary_size(), 1, 2, 16, 32, max_sequence_length=48
    )
    model = save_to_hugging_face(
        TransformerSeq2SeqLM(backbone, preprocessor), tmp_path / "marian"
    )
    sizes = ["--sentences=4", "--batch=2", "--beams=2", "--length=6", "--turns=1"]
    printed = run("beam_search.py", "--model", str(model), "--pairs", pairs, *sizes)
    assert "4 sentences in 2 batches of 2" in printed
    same = re.search(r"transformers: ([\d.]+)% of the translations", printed)
    assert float(same[1]) >= 75
    for side in ("kftune", "KerasHub", "transformers"):
        assert re.search(rf"\| {side} \| {RATIO}", printed)
