import keras
import keras_hub
import pytest

from kftune.decoding import BeamSearch
from kftune.models import DecodingSettings

WRONG = {
    "num_beams": 0,
    "length_penalty": float("nan"),
    "early_stopping": "always",
    "no_repeat_ngram_size": -1,
    "min_length": 1.5,
    "bad_words_ids": [[3], []],
    "forced_bos_token_id": "de",
    "forced_eos_token_id": [2, -1],
    "renormalize_logits": 1,
    "repetition_penalty": 0,
    "wu_length_penalty": True,
    "wu_coverage_penalty": -0.2,
}


def test_all_that_does_not_fit_is_told_at_once():
    with pytest.raises(ValueError, match="Expected settings of BeamSearch") as caught:
        BeamSearch(**WRONG)
    for name, value in WRONG.items():
        assert f"{name} as " in str(caught.value)
        assert f"not {value!r}" in str(caught.value)


@pytest.mark.parametrize("name", WRONG)
def test_each_is_told_alone(name):
    with pytest.raises(ValueError) as caught:
        BeamSearch(**{name: WRONG[name]})
    assert str(caught.value).count(" as ") == 1


def test_the_configuration_comes_back():
    search = BeamSearch(
        num_beams=5,
        early_stopping="never",
        bad_words_ids=[[1], [2, 3]],
        forced_eos_token_id=0,
        wu_length_penalty=0.6,
    )
    again = keras_hub.samplers.deserialize(keras_hub.samplers.serialize(search))
    assert type(again) is BeamSearch
    assert again.settings == search.settings
    saved = keras.saving.serialize_keras_object(search)
    again = keras.saving.deserialize_keras_object(saved)
    assert again.settings == search.settings


def test_the_settings_of_a_checkpoint_are_taken_over():
    settings = DecodingSettings(
        num_beams=6,
        max_length=512,
        bad_words_ids=[[58100]],
        forced_eos_token_id=0,
        eos_token_id=0,
        do_sample=False,
        top_k=50,
        length_penalty=0.8,
    )
    search = BeamSearch.from_settings(settings, num_beams=2, min_length=3)
    expected = BeamSearch(
        num_beams=2,
        min_length=3,
        length_penalty=0.8,
        bad_words_ids=[[58100]],
        forced_eos_token_id=0,
    )
    assert search.settings == expected.settings
    assert BeamSearch.from_settings(DecodingSettings()).num_beams == 1
    with pytest.raises(ValueError, match="do_sample=True"):
        BeamSearch.from_settings(DecodingSettings(do_sample=True, num_beams=2))
