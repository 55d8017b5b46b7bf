import pytest

import kftune
from kftune.decoding import BeamSearch, Sampling, generate_texts

pytestmark = pytest.mark.backend

PROMPTS = [
    "The film",
    "A",
    "A slow, a very slow and quiet story that takes its time: ",
    "The film",
    "So much of it is fine that",
]


@pytest.fixture
def greedy(writer, quick):
    writer.compile(sampler=Sampling(0, no_repeat_ngram_size=2), **quick)
    return writer


@pytest.mark.long
def test_prompts_are_gone_on_with_as_each_alone(greedy):
    texts = generate_texts(greedy, PROMPTS, max_new_tokens=9)
    for prompt, text in zip(PROMPTS, texts, strict=True):
        length = len(greedy.preprocessor.prompt_rows([prompt])[0])
        assert text == greedy.generate(prompt, length + 9, strip_prompt=True)


@pytest.mark.long
def test_a_search_gives_its_best(writer, quick):
    writer.compile(sampler=BeamSearch(2), **quick)
    texts = generate_texts(writer, PROMPTS[:2], max_new_tokens=16)
    for prompt, text in zip(PROMPTS[:2], texts, strict=True):
        length = len(writer.preprocessor.prompt_rows([prompt])[0])
        assert text == writer.generate(prompt, length + 16, strip_prompt=True)


@pytest.mark.long
def test_a_search_knows_its_last_token(writer, quick):
    writer.compile(sampler=BeamSearch(3), **quick)
    for prompt in PROMPTS[:3]:
        (text,) = generate_texts(writer, [prompt], max_new_tokens=5)
        length = len(writer.preprocessor.prompt_rows([prompt])[0])
        assert text == writer.generate(prompt, length + 5, strip_prompt=True)


def test_the_window_may_leave_one_token(greedy):
    longest = greedy.backbone.max_positions
    options = {"max_new_tokens": longest - 1, "long_prompts": "window"}
    greedy.compile(sampler=Sampling(0), jit_compile=False)
    greedy.preprocessor.add_start_token = False
    (text,) = generate_texts(greedy, [PROMPTS[2]], **options)
    assert text
    greedy.preprocessor.add_start_token = True
    with pytest.raises(
        ValueError, match=r"at most 1 tokens.*Pass fewer max_new_tokens\."
    ):
        generate_texts(greedy, [PROMPTS[2]], **options)


def test_texts_end_before_stop_strings(greedy):
    whole = generate_texts(greedy, PROMPTS, max_new_tokens=12)
    stop = whole[0][4:6]
    cut = generate_texts(greedy, PROMPTS, max_new_tokens=12, stop_strings=[stop])
    assert cut == [text.split(stop)[0] for text in whole]


def test_batches_are_reported(greedy):
    done = []
    generate_texts(
        greedy, PROMPTS, max_new_tokens=2, batch_tokens=64, on_batch=done.append
    )
    assert done == [2, 4, 5]


def test_nothing_is_made_of_nothing(greedy):
    assert generate_texts(greedy, [], max_new_tokens=4) == []


@pytest.mark.long
def test_long_prompts_are_an_error_or_read_at_their_ends(greedy):
    long = "very " * 80 + "The film"
    with pytest.raises(ValueError, match=r"at most 56 tokens.*at index 1"):
        generate_texts(greedy, ["The film", long], max_new_tokens=8)
    (text,) = generate_texts(greedy, [long], max_new_tokens=8, long_prompts="window")
    ids = greedy.preprocessor.prompt_rows([long])[0][-55:]
    end = greedy.preprocessor.tokenizer.detokenize(ids)
    assert text == greedy.generate(str(end), 64, strip_prompt=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens=0"),
        ({"max_new_tokens": 64}, "from 1 to 63.*max_new_tokens=64"),
        ({"long_prompts": "cut"}, "long_prompts='cut'"),
        ({"batch_tokens": 0}, "batch_tokens of at least 1. Received: 0"),
    ],
)
def test_wrong_options_are_named(greedy, options, message):
    with pytest.raises(ValueError, match=message):
        generate_texts(greedy, PROMPTS, **{"max_new_tokens": 4, **options})


def test_prompts_without_a_token_are_named(writer):
    tokenizer = writer.preprocessor.tokenizer
    preprocessor = kftune.models.GPT2CausalLMPreprocessor(
        tokenizer, 48, add_start_token=False
    )
    task = kftune.models.GPT2CausalLM(writer.backbone, preprocessor)
    with pytest.raises(ValueError, match="none at index 1, index 2"):
        generate_texts(task, ["A", "", ""], max_new_tokens=4)


def test_an_encoder_decoder_is_refused(marian):
    with pytest.raises(TypeError, match=r"TransformerSeq2SeqLM.*translate_texts"):
        generate_texts(marian.task, ["A"])


def test_one_str_is_no_list_of_prompts(greedy):
    with pytest.raises(TypeError, match="several texts. Received: one, 'The film'"):
        generate_texts(greedy, "The film", max_new_tokens=8)
