import json

import pytest
from tokenizers.implementations import ByteLevelBPETokenizer

from kftune.models.gpt2.gpt2_tokenizer_trainer import train_gpt2_tokenizer

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
    import keras_hub

    folder = train_gpt2_tokenizer(TEXTS, tmp_path, vocabulary_size=280)
    files = str(folder / "vocabulary.json"), str(folder / "merges.txt")
    hub = keras_hub.tokenizers.GPT2Tokenizer(*files)
    reference = ByteLevelBPETokenizer(*files)
    for text in ["newest lows", "Größe 😀", " wide  \n"]:
        assert list(hub(text)) == reference.encode(text).ids


def test_a_vocabulary_smaller_than_the_bytes_is_refused(tmp_path):
    with pytest.raises(ValueError, match="more than 256.*Received: 256"):
        train_gpt2_tokenizer(TEXTS, tmp_path / "new", vocabulary_size=256)
    assert not (tmp_path / "new").exists()
