import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from kftune.models import GPT2CausalLMPreprocessor

pytestmark = pytest.mark.backend

TEXTS = ["good film", "it's a slow start!", "", "The film isn't bad: see it. " * 3]


def arrays(structure):
    return [np.asarray(x) for x in tf.nest.flatten(structure)]


@pytest.mark.parametrize("add", [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize("length", [6, 30])
def test_eager_rows_are_those_of_keras_hub_and_of_the_graph(
    gpt2_tokenizer, add, length
):
    ours = GPT2CausalLMPreprocessor(gpt2_tokenizer, length, *add)
    theirs = keras_hub.models.GPT2CausalLMPreprocessor(gpt2_tokenizer, length, *add)
    expected = arrays(theirs(TEXTS))
    batches = tf.data.Dataset.from_tensor_slices(TEXTS).batch(4).map(ours)
    for received in (ours(TEXTS), next(iter(batches))):
        for got, wanted in zip(arrays(received), expected, strict=True):
            np.testing.assert_array_equal(got, wanted)
    one = ours(TEXTS[1])
    for got, wanted in zip(arrays(one), expected, strict=True):
        np.testing.assert_array_equal(got, wanted[1])


def test_prompts_have_no_end(gpt2_tokenizer):
    ours = GPT2CausalLMPreprocessor(gpt2_tokenizer, 60)
    theirs = keras_hub.models.GPT2CausalLMPreprocessor(gpt2_tokenizer, 60)
    expected = arrays(theirs.generate_preprocess(TEXTS))
    received = ours.generate_preprocess(TEXTS)
    for got, wanted in zip(arrays(received), expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert ours.generate_postprocess(received) == TEXTS
    bare = GPT2CausalLMPreprocessor(gpt2_tokenizer, 60, add_start_token=False)
    received = bare.generate_preprocess(TEXTS, sequence_length=50)
    np.testing.assert_array_equal(received["token_ids"], expected[1][:, 1:51])


@pytest.mark.parametrize("start", [True, False])
def test_rows_and_prompts_of_rare_text_are_those_of_the_graph(gpt2_tokenizer, start):
    texts = ["so\n\nwhy not", "The film\x00 is good", "film\n\n\tnaïve <|endoftext|>x"]
    ours = GPT2CausalLMPreprocessor(gpt2_tokenizer, 60, add_start_token=start)
    for eager in (ours, ours.generate_preprocess):
        received = arrays(tf.function(eager)(tf.constant(texts)))
        for got, wanted in zip(received, arrays(eager(texts)), strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_a_long_prompt_is_cut_in_a_graph(gpt2_tokenizer):
    ours = GPT2CausalLMPreprocessor(gpt2_tokenizer, 60)
    expected = arrays(ours.generate_preprocess(TEXTS[3]))
    ours.sequence_length = 4
    received = tf.function(ours.generate_preprocess)(tf.constant(TEXTS[3]))
    for got, wanted in zip(arrays(received), expected, strict=True):
        np.testing.assert_array_equal(got, wanted[:4])


def test_rows_are_tokenised_once(gpt2_tokenizer):
    ours = GPT2CausalLMPreprocessor(gpt2_tokenizer, 7)
    x, y, weight = ours(TEXTS)
    for row, *wanted in zip(
        ours.tokenize_rows(TEXTS), x["token_ids"], y, weight, strict=True
    ):
        count = wanted[2].sum()
        np.testing.assert_array_equal(row[:-1], wanted[0][:count])
        np.testing.assert_array_equal(row[1:], wanted[1][:count])
        assert len(row) == count + 1


def test_labels_and_weights_are_refused(gpt2_tokenizer):
    ours = GPT2CausalLMPreprocessor(gpt2_tokenizer, 7)
    with pytest.raises(ValueError, match="texts alone"):
        ours(TEXTS, [1, 0, 1, 0])
    with pytest.raises(TypeError, match="nan at index 1"):
        ours(["good", float("nan")])


def test_the_arguments_come_back_from_the_config(gpt2_tokenizer):
    ours = GPT2CausalLMPreprocessor(gpt2_tokenizer, 7, False, True)
    again = GPT2CausalLMPreprocessor.from_config(ours.get_config())
    received = (again.sequence_length, again.add_start_token, again.add_end_token)
    assert received == (7, False, True)
