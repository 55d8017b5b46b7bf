"""GPT-2 checkpoints whose texts end otherwise than by <|endoftext|>."""

import json

import pytest
import torch
import transformers
from hf_references import make_gpt2

import kftune

pytestmark = pytest.mark.backend

PROMPT = "The film is"
SPECIAL = ["<|im_start|>", "<|im_end|>"]


def write_tokenizer(bpe_folder, folder, **settings):
    files = [str(bpe_folder / name) for name in ("vocabulary.json", "merges.txt")]
    tokenizer = transformers.GPT2Tokenizer(vocab=files[0], merges=files[1], **settings)
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL})
    tokenizer.save_pretrained(folder)
    return tokenizer


def rows_of(model, ids, **options):
    options = {"do_sample": False, "max_length": 16, "pad_token_id": 0, **options}
    with torch.no_grad():
        return model.generate(torch.tensor([ids]), **options)[0].tolist()


@pytest.fixture
def chat(bpe_folder, tmp_path):
    """A folder with a GPT-2 that says <|im_end|> after a few tokens; its tokenizer."""
    folder = tmp_path / "hf"
    tokenizer = write_tokenizer(bpe_folder, folder)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    model = make_gpt2(
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=None,
    )
    ids = tokenizer(PROMPT)["input_ids"]
    said = rows_of(model, ids, eos_token_id=None)[len(ids) + 4]
    assert said not in ids
    with torch.no_grad():  # the two change places
        weight = model.transformer.wte.weight
        weight[[said, end]] = weight[[end, said]]
    model.config.eos_token_id = end
    model.generation_config.eos_token_id = end
    model.save_pretrained(folder)
    return folder, model, tokenizer


def load(folder, quick):
    task = kftune.models.GPT2CausalLM.from_preset(folder, sequence_length=16)
    task.preprocessor.add_start_token = False
    task.compile(sampler="greedy", **quick)
    return task


def expected_text(model, tokenizer, **options):
    row = rows_of(model, tokenizer(PROMPT)["input_ids"], **options)
    return row, tokenizer.decode(row, skip_special_tokens=True)


@pytest.mark.long
def test_the_end_of_the_checkpoint_ends_texts(chat, quick):
    folder, model, tokenizer = chat
    row, text = expected_text(model, tokenizer)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert row[-1] == end
    assert len(row) < 16
    task = load(folder, quick)
    assert task.generate([PROMPT]) == [text]
    task.compile(sampler=kftune.decoding.BeamSearch(1), **quick)
    assert task.generate([PROMPT]) == [text]
    ids = tokenizer(PROMPT)["input_ids"]
    assert task.preprocessor.tokenize_rows([PROMPT])[0].tolist() == [*ids, end]


@pytest.mark.long
def test_presets_and_exports_keep_the_end(chat, tmp_path, quick):
    folder, model, tokenizer = chat
    _, text = expected_text(model, tokenizer)
    load(folder, quick).save_to_preset(tmp_path / "preset")
    again = load(tmp_path / "preset", quick)
    assert again.generate([PROMPT]) == [text]
    kftune.models.save_to_hugging_face(again, tmp_path / "out")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
    written = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    assert expected_text(theirs, written)[1] == text
    assert written.eos_token == "<|im_end|>"
    assert written.bos_token == "<|endoftext|>"
    assert load(tmp_path / "out", quick).generate([PROMPT]) == [text]


def test_each_of_several_ends_stops(chat, tmp_path, quick):
    folder, model, tokenizer = chat
    first = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    ends = [first, model.config.eos_token_id]
    model.generation_config.eos_token_id = ends
    model.generation_config.save_pretrained(folder)
    row, text = expected_text(model, tokenizer)
    assert row[-1] == ends[1]
    task = load(folder, quick)
    assert task.generate([PROMPT]) == [text]
    # What the tokenizer calls its end is among them, and is what is learnt.
    assert task.preprocessor.tokenizer.end_token == tokenizer.eos_token
    kftune.models.save_to_hugging_face(task, tmp_path / "out")
    written = json.loads((tmp_path / "out/generation_config.json").read_text("utf-8"))
    assert sorted(written["eos_token_id"]) == sorted(ends)


def test_an_ordinary_word_stops_and_is_not_learnt(chat, quick):
    folder, model, tokenizer = chat
    row, _ = expected_text(model, tokenizer)
    word = row[-2]
    model.generation_config.eos_token_id = word
    model.generation_config.save_pretrained(folder)
    shorter, text = expected_text(model, tokenizer)
    assert len(shorter) < len(row)
    task = load(folder, quick)
    assert task.generate([PROMPT]) == [text]
    assert task.preprocessor.tokenizer.end_token == "<|endoftext|>"


def test_usual_ends_need_no_class_of_kftune(bpe_folder, tmp_path):
    tokenizer = write_tokenizer(bpe_folder, tmp_path)
    end = tokenizer.eos_token_id
    model = make_gpt2(vocab_size=len(tokenizer), bos_token_id=end, eos_token_id=end)
    model.save_pretrained(tmp_path)
    found = kftune.models.load_tokenizer(tmp_path)
    assert type(found).__name__ == "GPT2Tokenizer"
    assert found.end_token_id == end
