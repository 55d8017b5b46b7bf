import json
import shutil

import pytest
import torch
import transformers
from hf_references import greedy, make_reference
from translation_files import SOURCE, write_m2m100_files

from kftune.models import TransformerSeq2SeqLM

pytestmark = pytest.mark.backend

# Without spaces at the end, of which NLLB's fast tokenizer makes a token.
SHORT = [text[:24].rstrip() for text in SOURCE]


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


def test_bart_summarises_as_in_transformers(bart, quick):
    folder, model, tokenizer = bart
    task = TransformerSeq2SeqLM.from_preset(folder)
    expected = tokenizer.batch_decode(
        greedy(model, tokenizer, SHORT), skip_special_tokens=True
    )
    assert generated(task, quick) == expected
    assert len(set(expected)) == len(SHORT)


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
