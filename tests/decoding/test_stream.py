import importlib

import keras
import keras_hub
import numpy as np
import pytest

import kftune
from kftune.decoding import BeamSearch, Sampling, stream

pytestmark = pytest.mark.backend

PROMPTS = ("The film", "A slow, a very slow and quiet story that takes its time: ")


def whole(task, prompt, **options):
    return task.generate(prompt, strip_prompt=True, **options)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_pieces_are_the_text_of_generate(writer, quick, prompt):
    writer.compile(sampler=Sampling(0, no_repeat_ngram_size=2), **quick)
    pieces = list(stream(writer, prompt))
    assert "".join(pieces) == whole(writer, prompt)
    assert len(pieces) > 5
    assert all(pieces)


def test_no_piece_ends_within_a_character(writer, monkeypatch):
    text = "café, €5, 日本, 🎬👍🏽"
    ids = writer.preprocessor.prompt_rows([text])[0]
    module = importlib.import_module("kftune.decoding.stream")
    monkeypatch.setattr(module, "generated_tokens", lambda *_: iter(ids))
    pieces = list(stream(writer, "The film"))
    assert "".join(pieces) == text
    assert len(pieces) < len(ids)
    assert all(piece in text for piece in pieces)


def test_a_seed_repeats_its_text(writer, quick):
    texts = []
    for seed in (3, 3, 4):
        writer.compile(sampler=Sampling(seed=seed), **quick)
        texts.append("".join(stream(writer, "The film")))
    assert texts[0] == texts[1] != texts[2]


def test_it_ends_before_a_stop_string(writer, quick):
    writer.compile(sampler="greedy", **quick)
    text = "".join(stream(writer, "The film"))
    stop = text[8:11]
    assert (
        "".join(stream(writer, "The film", stop_strings=[stop]))
        == (text[: text.index(stop)])
    )


def test_a_step_is_traced_once(writer, quick):
    writer.compile(sampler="greedy", run_eagerly=False, **quick)
    list(stream(writer, "The film"))
    function = writer.generate_function
    list(stream(writer, "A bore"))
    assert writer.generate_function is function
    if hasattr(function, "experimental_get_tracing_count"):
        assert function.experimental_get_tracing_count() == 2  # prompt, and a token


def test_the_number_of_tokens_is_a_limit_that_compiles_nothing(writer, quick):
    writer.compile(sampler="greedy", run_eagerly=False, **quick)
    for prompt in PROMPTS[:1] * 2 + ("A bore",):
        count = len(writer.preprocessor.prompt_rows([prompt])[0])
        text = "".join(stream(writer, prompt, max_new_tokens=5))
        assert text == whole(writer, prompt, max_length=count + 5)
    list(stream(writer, PROMPTS[0], max_new_tokens=9))
    function = writer.generate_function
    before = getattr(function, "experimental_get_tracing_count", lambda: 0)()
    list(stream(writer, "The bore", max_new_tokens=7))
    assert writer.generate_function is function
    assert getattr(function, "experimental_get_tracing_count", lambda: 0)() == before


def test_the_length_is_a_limit(writer, quick):
    writer.compile(sampler="greedy", **quick)
    ids = writer.preprocessor.prompt_rows(["The film"])[0]
    assert list(stream(writer, "The film", max_length=len(ids))) == []


def test_an_encoder_decoder_streams_too(quick):
    tokenizer = kftune.models.load_tokenizer("gpt2_tiny_en")
    keras.utils.set_random_seed(2)
    backbone = kftune.models.TransformerBackbone(
        tokenizer.vocabulary_size(), 1, 2, 8, 16, 0.0, initializer_stddev=1.0
    )
    preprocessor = kftune.models.TransformerSeq2SeqLMPreprocessor(tokenizer, 16, 12)
    task = kftune.models.TransformerSeq2SeqLM(backbone, preprocessor)
    task.compile(sampler="greedy", **quick)
    text = "".join(stream(task, "The film"))
    assert text
    assert text == task.generate("The film")


def test_a_search_cannot_stream(writer, quick):
    for sampler in (BeamSearch(2), keras_hub.samplers.BeamSampler(2)):
        writer.compile(sampler=sampler, **quick)
        name = type(sampler).__name__
        with pytest.raises(TypeError, match=f"one token at a time.*Received: {name}"):
            list(stream(writer, "The film"))


def test_several_prompts_are_refused(writer):
    with pytest.raises(TypeError, match="one prompt, a str. Received: list"):
        list(stream(writer, ["The film"]))


def test_a_prompt_that_is_too_long_is_refused(writer, quick):
    writer.compile(sampler="greedy", **quick)
    with pytest.raises(ValueError, match="at most 48 tokens"):
        list(stream(writer, "very " * 100))


def test_states_are_those_of_the_whole_row(writer, quick):
    """Token by token, the likeliest one after the row as it stands."""
    writer.compile(sampler="greedy", **quick)
    pieces = "".join(stream(writer, "The film", max_length=8))
    row = list(writer.preprocessor.prompt_rows(["The film"])[0])
    while len(row) < 8:
        x = {"token_ids": np.array([row]), "padding_mask": np.ones((1, len(row)))}
        logits = keras.ops.convert_to_numpy(writer(x))
        row.append(int(logits[0, -1].argmax()))
    text = writer.preprocessor.tokenizer.detokenize(row[1:])  # without a start token
    assert str(text) == "The film" + pieces
