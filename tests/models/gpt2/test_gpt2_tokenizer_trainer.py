import json

import pytest
from tokenizers.implementations import ByteLevelBPETokenizer

from kftune.models import load_gpt2_tokenizer, train_gpt2_tokenizer

TEXTS = ["low lower lowest", "new newer newest", "wide wider widest"] * 5


def test_files_have_gpt2s_order(tmp_path):
    folder = train_gpt2_tokenizer(TEXTS, tmp_path / "new", vocabulary_size=270)
    vocabulary = json.loads((folder / "vocabulary.json").read_text("utf-8"))
    merges = (folder / "merges.txt").read_text("utf-8").splitlines()
    assert sorted(vocabulary.values()) == list(range(270))
    assert vocabulary["!"] == 0
    assert vocabulary["<|endoftext|>"] == 269
    assert len(merges) == 270 - 256 - 1
    first, second = merges[0].split(" ")
    assert vocabulary[first + second] == 256


def test_keras_hub_and_tokenizers_read_the_same_ids(tmp_path):
    folder = train_gpt2_tokenizer(TEXTS, tmp_path, vocabulary_size=280)
    hub = load_gpt2_tokenizer(folder)
    reference = ByteLevelBPETokenizer(
        str(folder / "vocabulary.json"), str(folder / "merges.txt")
    )
    for text in ["newest lows", "Größe 😀", " wide  \n"]:
        assert list(hub(text)) == reference.encode(text).ids


def test_a_vocabulary_smaller_than_the_bytes_is_refused(tmp_path):
    with pytest.raises(ValueError, match="more than 256.*Received: 256"):
        train_gpt2_tokenizer(TEXTS, tmp_path / "new", vocabulary_size=256)
    assert not (tmp_path / "new").exists()
