import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from hf_references import greedy, make_reference
from translation_files import SOURCE, write_m2m100_files

from kftune.decoding import BeamSearch
from kftune.models import TransformerSeq2SeqLM, save_to_hugging_face

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("error:Expected forced_bos_token_id"),
]

# Without spaces at the end, of which NLLB's fast tokenizer makes a token.
SHORT = [text[:24].rstrip() for text in SOURCE]
SEARCHES = [
    {"num_beams": 3},
    {"num_beams": 4, "length_penalty": 2.0, "early_stopping": True},
    {"num_beams": 2, "length_penalty": -1.0, "early_stopping": "never"},
]


@pytest.fixture
def bart(bpe_folder, tmp_path):
    """A complete folder with a BART, its model and its tokenizer."""
    words = json.loads((bpe_folder / "vocabulary.json").read_text("utf-8"))
    words.pop("<|endoftext|>")
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *words, "<mask>"]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    shutil.copy(bpe_folder / "merges.txt", tmp_path)
    # Of the first random models one that says much.
    model = make_reference("bart", 5, vocab_size=len(tokens), init_std=0.5)
    model.final_logits_bias.zero_()  # else it decides alone what comes next
    # As in the summarisers that were published.
    model.generation_config.update(forced_bos_token_id=0, forced_eos_token_id=None)
    model.save_pretrained(tmp_path)
    return tmp_path, model, transformers.BartTokenizer.from_pretrained(tmp_path)


@pytest.fixture
def nllb(tmp_path):
    """The same with an NLLB of two languages."""
    files = tmp_path / "files"
    files.mkdir()
    write_m2m100_files(files)
    (files / "vocab.json").unlink()  # NLLB has none
    tokenizer = transformers.NllbTokenizer.from_pretrained(
        files,
        extra_special_tokens=["deu_Latn", "eng_Latn", "fra_Latn"],
        src_lang="eng_Latn",
        tgt_lang="deu_Latn",
    )
    model = make_reference(
        "m2m_100", vocab_size=len(tokenizer), init_std=0.5, scale_embedding=False
    )
    with torch.no_grad():  # text is more likely than languages
        model.model.shared.weight[-4:] *= 0.3
    folder = tmp_path / "hf"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    shutil.copy(files / "sentencepiece.bpe.model", folder)
    return folder, model, tokenizer


def generated(task, quick):
    task.compile(sampler="greedy", **quick)
    return task.generate(SHORT, max_length=16)


def assert_same_beams(task, model, tokenizer, quick, *, forced=None, **search):
    """Texts and scores as transformers finds, best first.

    Random models have beams that are nearly as good as others, of which rounding keeps
    one or the other: scores differ by 1 % then, and by 7 % with one token more.
    """
    count = search["num_beams"]
    task.compile(sampler=BeamSearch(**search), **quick)
    found = task.generate(
        SHORT, max_length=16, num_return_sequences=count, return_scores=True
    )
    theirs = greedy(
        model,
        tokenizer,
        SHORT,
        num_return_sequences=count,
        return_dict_in_generate=True,
        output_scores=True,
        **({} if forced is None else {"forced_bos_token_id": forced}),
        **search,
    )
    texts = tokenizer.batch_decode(theirs.sequences, skip_special_tokens=True)
    pairs = [pair for row in found for pair in row]
    same = [ours == text for (ours, _), text in zip(pairs, texts, strict=True)]
    assert np.mean(same) >= 0.5
    scores = theirs.sequences_scores.numpy()
    np.testing.assert_allclose([score for _, score in pairs], scores, rtol=0.02)


@pytest.mark.long
@pytest.mark.parametrize("search", SEARCHES)
def test_bart_searches_as_in_transformers(bart, quick, search):
    folder, model, tokenizer = bart
    task = TransformerSeq2SeqLM.from_preset(folder)
    assert task.decoding_settings.forced_bos_token_id == 0
    assert_same_beams(task, model, tokenizer, quick, **search)


def test_nllb_searches_as_in_transformers(nllb, quick):
    folder, model, tokenizer = nllb
    task = TransformerSeq2SeqLM.from_preset(folder)
    start = tokenizer.convert_tokens_to_ids("deu_Latn")
    assert_same_beams(task, model, tokenizer, quick, forced=start, **SEARCHES[1])


def test_a_given_beginning_is_no_part_of_the_length(bart, quick):
    folder, model, tokenizer = bart
    task = TransformerSeq2SeqLM.from_preset(folder)
    task.compile(sampler=BeamSearch(3), **quick)
    given = {"encoder_text": SHORT[:1], "decoder_text": ["The"]}
    ((_, score),) = task.generate(given, max_length=16, return_scores=True)[0]
    prompt = task.preprocessor.generate_preprocess(given)
    length = int(prompt["decoder_padding_mask"].sum())
    assert length > 2
    theirs = greedy(
        model,
        tokenizer,
        SHORT[:1],
        decoder_input_ids=torch.tensor(prompt["decoder_token_ids"][:, :length]).long(),
        num_beams=3,
        return_dict_in_generate=True,
        output_scores=True,
    )
    assert score == pytest.approx(theirs.sequences_scores.item(), rel=0.02)


def test_a_start_that_transformers_does_not_force_is_told(bart, tmp_path):
    folder, model, _ = bart
    task = TransformerSeq2SeqLM.from_preset(folder)  # without a warning
    model.generation_config.forced_bos_token_id = None
    model.config.forced_bos_token_id = None
    model.save_pretrained(folder)
    with pytest.warns(UserWarning, match="Expected forced_bos_token_id=0.*None"):
        task = TransformerSeq2SeqLM.from_preset(folder)
    save_to_hugging_face(task, tmp_path / "out")
    written = transformers.GenerationConfig.from_pretrained(tmp_path / "out")
    assert written.forced_bos_token_id == 0


def test_bart_summarises_as_in_transformers(bart, quick):
    folder, model, tokenizer = bart
    task = TransformerSeq2SeqLM.from_preset(folder)
    expected = tokenizer.batch_decode(
        greedy(model, tokenizer, SHORT), skip_special_tokens=True
    )
    assert generated(task, quick) == expected
    assert len(set(expected)) == len(SHORT)


@pytest.mark.long
def test_each_end_of_the_checkpoint_stops(bart, quick):
    folder, model, tokenizer = bart
    longer = greedy(model, tokenizer, SHORT).tolist()
    ends = [tokenizer.eos_token_id, longer[0][4]]
    model.generation_config.eos_token_id = ends
    model.generation_config.save_pretrained(folder)
    rows = greedy(model, tokenizer, SHORT)
    assert rows.tolist() != longer
    task = TransformerSeq2SeqLM.from_preset(folder)
    expected = tokenizer.batch_decode(rows, skip_special_tokens=True)
    assert generated(task, quick) == expected
    assert_same_beams(task, model, tokenizer, quick, num_beams=3)


@pytest.mark.long
@pytest.mark.parametrize("language", ["deu_Latn", "fra_Latn"])
def test_nllb_translates_as_in_transformers(nllb, language, quick):
    folder, model, tokenizer = nllb
    task = TransformerSeq2SeqLM.from_preset(folder)
    assert task.preprocessor.tokenizer.target_language == "deu_Latn"
    task.preprocessor.tokenizer.target_language = language
    start = tokenizer.convert_tokens_to_ids(language)
    expected = tokenizer.batch_decode(
        greedy(model, tokenizer, SHORT, forced_bos_token_id=start),
        skip_special_tokens=True,
    )
    assert generated(task, quick) == expected
    assert len(set(expected)) == len(SHORT)
