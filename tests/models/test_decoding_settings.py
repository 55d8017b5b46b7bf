import json

import keras

from kftune.models.converters.hf_decoding import read_decoding_settings
from kftune.models.decoding_settings import DecodingSettings

# As OPUS-MT repositories have them.
CONFIG = {
    "model_type": "marian",
    "d_model": 512,
    "num_beams": 6,
    "max_length": 512,
    "bad_words_ids": [[58100]],
    "forced_eos_token_id": 0,
    "pad_token_id": 58100,
    "length_penalty": None,
}


def write(folder, name, content):
    (folder / name).write_text(json.dumps(content))


def test_settings_of_an_old_checkpoint(tmp_path):
    write(tmp_path, "config.json", CONFIG)
    assert read_decoding_settings(tmp_path).stated() == {
        "num_beams": 6,
        "max_length": 512,
        "bad_words_ids": [[58100]],
        "forced_eos_token_id": 0,
        "pad_token_id": 58100,
    }


def test_generation_config_comes_first(tmp_path):
    write(tmp_path, "config.json", CONFIG)
    generation = {"num_beams": 4, "early_stopping": "never", "do_sample": False}
    write(tmp_path, "generation_config.json", generation)
    settings = read_decoding_settings(tmp_path)
    assert (settings.num_beams, settings.early_stopping) == (4, "never")
    assert settings.do_sample is False
    assert settings.bad_words_ids == [[58100]]
    assert settings.length_penalty is None


def test_keras_keeps_them():
    settings = DecodingSettings(num_beams=3, bad_words_ids=[[5], [6, 7]])
    saved = json.loads(json.dumps(keras.saving.serialize_keras_object(settings)))
    assert keras.saving.deserialize_keras_object(saved) == settings
