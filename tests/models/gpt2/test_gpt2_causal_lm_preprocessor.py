import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from kftune.models import GPT2CausalLMPreprocessor

pytestmark = pytest.mark.backend

TEXTS = ["good film", "it's a slow start!", "", "The film isn't bad: see it. " * 3]


def arrays(structure):
    return [np.asarray(x) for x in tf.nest.flatten(structure)]


@pytest.mark.long
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


@pytest.mark.long
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


PROMPTS = ["Is the film good?", "", "A slow start? " * 4, "15 minutes of waiting"]
ANSWERS = [" It is.", "no", " the film", " isn't it? " * 9]


@pytest.mark.filterwarnings("ignore:.*were cut")
@pytest.mark.parametrize("add", [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize("length", [14, 60])
def test_an_answer_alone_is_learnt(gpt2_tokenizer, add, length):
    ours = GPT2CausalLMPreprocessor(gpt2_tokenizer, length, *add)
    start, end = ([gpt2_tokenizer.end_token_id] * given for given in add)
    x, y, weight = ours(PROMPTS, ANSWERS)
    for i in range(len(PROMPTS)):
        prompt = list(gpt2_tokenizer(PROMPTS[i]))
        answer = [*gpt2_tokenizer(ANSWERS[i]), *end]
        while len(start + prompt + answer) > length + 1:
            if prompt:
                del prompt[0]
            else:
                del answer[-1]
        row = start + prompt + answer
        learnt = [False] * len(start + prompt) + [True] * len(answer)
        real = len(row) - 1
        assert x["padding_mask"][i].sum() == min(len(row), length)
        assert x["token_ids"][i][: real + 1].tolist() == row[:length]
        assert y[i][:real].tolist() == row[1:]
        assert weight[i].tolist() == learnt[1:] + [False] * (length - real)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:.*were cut")
@pytest.mark.parametrize("add", [(True, True), (False, False)])
def test_pairs_in_a_graph_and_one_by_one_are_the_same(gpt2_tokenizer, add):
    ours = GPT2CausalLMPreprocessor(gpt2_tokenizer, 14, *add)
    expected = arrays(ours(PROMPTS, ANSWERS))
    pairs = tf.data.Dataset.from_tensor_slices((PROMPTS, ANSWERS))
    singles = list(pairs.map(ours))
    for received in (
        next(iter(pairs.batch(4).map(ours))),
        tf.nest.map_structure(lambda *parts: np.stack(parts), *singles),
    ):
        for got, wanted in zip(arrays(received), expected, strict=True):
            np.testing.assert_array_equal(got, wanted)
    for got, wanted in zip(arrays(ours(PROMPTS[3], ANSWERS[3])), expected, strict=True):
        np.testing.assert_array_equal(got, wanted[3])


def test_tokenised_pairs_are_the_rows_and_what_was_cut_is_told(gpt2_tokenizer):
    ours = GPT2CausalLMPreprocessor(gpt2_tokenizer, 14)
    prompt, answer = (
        [len(gpt2_tokenizer(text)) for text in texts] for texts in (PROMPTS, ANSWERS)
    )
    assert prompt[2] + answer[2] + 2 > 15 > answer[2] + 2 and answer[3] > 15
    of_prompts = prompt[2] + answer[2] + 2 - 15 + prompt[3]
    told = (
        f"2 of 4 pairs .* cut to 15 tokens: {of_prompts} tokens at the beginning of 2 "
        f"prompts, {answer[3] + 2 - 15} at the end of 1 "
    )
    with pytest.warns(UserWarning, match=told):
        rows, weights = ours.tokenize_rows(PROMPTS, ANSWERS)
    with pytest.warns(UserWarning, match=told):
        x, y, sample_weight = ours(PROMPTS, ANSWERS)
    for i, (row, weight) in enumerate(zip(rows, weights, strict=True)):
        assert (row.dtype, weight.dtype, len(row)) == ("int32", bool, len(weight))
        np.testing.assert_array_equal(row[:-1], x["token_ids"][i][: len(row) - 1])
        np.testing.assert_array_equal(row[1:], y[i][: len(row) - 1])
        np.testing.assert_array_equal(weight[1:], sample_weight[i][: len(row) - 1])


def test_wrong_answers_and_weights_are_refused(gpt2_tokenizer):
    ours = GPT2CausalLMPreprocessor(gpt2_tokenizer, 7)
    with pytest.raises(TypeError, match="Expected strings.* 1 at index 0"):
        ours(TEXTS, [1, 0, 1, 0])
    for read in (ours, ours.tokenize_rows):
        with pytest.raises(ValueError, match="4 prompts and 3 answers"):
            read(TEXTS, TEXTS[:3])
    with pytest.raises(ValueError, match="without sample weights.*weight=list"):
        ours(TEXTS, TEXTS, [1, 0, 1, 0])
    with pytest.raises(TypeError, match="nan at index 1"):
        ours(["good", float("nan")])


def test_the_arguments_come_back_from_the_config(gpt2_tokenizer):
    ours = GPT2CausalLMPreprocessor(gpt2_tokenizer, 7, False, True)
    again = GPT2CausalLMPreprocessor.from_config(ours.get_config())
    received = (again.sequence_length, again.add_start_token, again.add_end_token)
    assert received == (7, False, True)


def test_a_warning_says_how_much_of_the_texts_is_lost(gpt2_tokenizer):
    ours = GPT2CausalLMPreprocessor(gpt2_tokenizer, 12)
    counts = [ours.count_tokens(text) for text in TEXTS]
    assert counts == [len(ids) for ids in gpt2_tokenizer(TEXTS)]
    lost = counts[3] - 11
    assert max(counts[:3]) <= 11 and lost > 0
    with pytest.warns(UserWarning, match=f"1 of 4 texts were cut to 13.*: {lost} tok"):
        rows = ours.tokenize_rows(TEXTS)
    assert [len(row) for row in rows] == [min(n, 11) + 2 for n in counts]
    with pytest.warns(UserWarning, match=f"1 of 4 texts were cut to 13.*: {lost} tok"):
        ours(TEXTS)
