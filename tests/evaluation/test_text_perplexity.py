import numpy as np
import pytest
import torch
from hf_references import make_gpt2

import kftune
from kftune.evaluation import text_perplexity

pytestmark = pytest.mark.backend

TEXTS = [
    "A fine film, a very fine film.",
    "Dull.",
    "",
    "It takes its time, and then it takes some more of it, and so on. " * 3,
]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A random GPT-2 of transformers, and kftune's task with its weights."""
    tokenizer = kftune.models.load_tokenizer("gpt2_tiny_en")
    reference = make_gpt2(
        vocab_size=tokenizer.vocabulary_size(),
        n_layer=1,
        bos_token_id=tokenizer.end_token_id,
        eos_token_id=tokenizer.end_token_id,
    )
    folder = tmp_path_factory.mktemp("gpt2")
    reference.save_pretrained(folder)
    backbone = kftune.models.load_backbone(folder)
    preprocessor = kftune.models.GPT2CausalLMPreprocessor(tokenizer, 24)
    return reference, kftune.models.GPT2CausalLM(backbone, preprocessor)


def by_transformers(reference, rows, window, stride):
    """The recipe of transformers' documentation for texts of any length."""
    total = count = 0
    for row in rows:
        previous = 0
        for start in range(0, len(row), stride):
            end = min(start + window, len(row))
            ids = torch.tensor([row[start:end]])
            labels = ids.clone()
            labels[:, : -(end - previous)] = -100
            scored = int((labels[:, 1:] != -100).sum())
            if scored:
                with torch.no_grad():
                    loss = reference(ids, labels=labels).loss
                total += float(loss) * scored
                count += scored
            previous = end
            if end == len(row):
                break
    return total, count


@pytest.mark.parametrize(("window", "stride"), [(24, 12), (24, 23), (9, 1), (24, None)])
def test_it_is_that_of_transformers(models, window, stride):
    reference, task = models
    score = text_perplexity(task, TEXTS, window=window, stride=stride)
    rows = task.preprocessor.prompt_rows(TEXTS)
    nats, tokens = by_transformers(reference, rows, window, stride or 12)
    assert score.tokens == tokens
    np.testing.assert_allclose(score.nats, nats, rtol=1e-4)
    np.testing.assert_allclose(score.by_token, np.exp(nats / tokens), rtol=1e-4)
    words = sum(len(text.split()) for text in TEXTS)
    assert score.words == words
    np.testing.assert_allclose(score.by_word, np.exp(nats / words), rtol=1e-4)


def test_every_token_is_scored_once(models):
    _, task = models
    rows = task.preprocessor.prompt_rows(TEXTS)
    starts = len(rows)
    for stride in (1, 5, 8):
        score = text_perplexity(task, TEXTS, window=9, stride=stride)
        assert score.tokens == sum(map(len, rows)) - starts


def test_batches_do_not_matter(models):
    _, task = models
    scores = [
        text_perplexity(task, TEXTS, batch_tokens=tokens).nats for tokens in (1, 999)
    ]
    np.testing.assert_allclose(*scores, rtol=1e-6)


def test_it_tells_of_window_and_stride(models):
    score = text_perplexity(models[1], TEXTS, window=20, stride=10)
    assert "windows of 20, stride 10" in str(score)


@pytest.mark.parametrize(
    "options", [{"window": 25}, {"window": 1}, {"stride": 24}, {"stride": 0}]
)
def test_windows_that_do_not_fit_are_refused(models, options):
    (name, value), *_ = options.items()
    with pytest.raises(ValueError, match=f"from 2 to 24.*{name}={value}"):
        text_perplexity(models[1], TEXTS, **options)


def test_texts_without_words_are_refused(models):
    with pytest.raises(ValueError, match="Received: 2 texts with 0 words"):
        text_perplexity(models[1], ["", " "])
