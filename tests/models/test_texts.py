import json

import numpy as np
import pytest

from kftune.models import GPT2CausalLMPreprocessor
from kftune.models.texts import as_texts


@pytest.mark.parametrize("container", [list, tuple, np.array])
def test_half_a_surrogate_pair_becomes_the_sign_for_it(container):
    texts = json.loads(r'["a \ud83d b", "\ude00", "\ud83d\ude00", "ü"]')
    expected = ["a \ufffd b", "\ufffd", "\U0001f600", "ü"]
    assert as_texts(container(texts)) == (expected, True)
    assert as_texts(texts[0]) == (expected[:1], False)


def test_prompts_with_half_a_character_are_tokenised(gpt2_tokenizer):
    preprocessor = GPT2CausalLMPreprocessor(gpt2_tokenizer, 24)
    half, whole = "a \ud83d film", "a \ufffd film"
    for tokens in (
        lambda text: preprocessor.prompt_rows([text]),
        lambda text: preprocessor.generate_preprocess(text)["token_ids"].tolist(),
        lambda text: preprocessor.tokenize_rows([text])[0].tolist(),
        preprocessor.count_tokens,
    ):
        assert tokens(half) == tokens(whole)
