import json

import keras
import numpy as np
import pytest
import torch
import transformers
from hf_references import greedy, make_gpt2, make_reference
from translation_files import SOURCE, TARGET, write_m2m100_files, write_marian_files

import kftune

pytestmark = [
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses"),
]
SHORT = [text[:24] for text in SOURCE]


@pytest.fixture
def marian(tmp_path):
    """A complete OPUS-MT-like folder, as transformers writes it, and its model."""
    files = tmp_path / "files"
    files.mkdir()
    tokenizer = transformers.MarianTokenizer.from_pretrained(write_marian_files(files))
    pad = tokenizer.pad_token_id
    model = make_reference(
        "marian",
        13,  # of the first random models, the one that says most
        vocab_size=len(tokenizer),
        pad_token_id=pad,
        decoder_start_token_id=pad,
        scale_embedding=False,
        encoder_layers=2,
        decoder_layers=1,
    )
    model.final_logits_bias.zero_()  # else it decides alone what comes next
    model.generation_config.update(num_beams=2, bad_words_ids=[[pad]])
    # At max_length transformers ends a row by force; a row here just stops.
    model.generation_config.forced_eos_token_id = None
    model.save_pretrained(tmp_path / "hf")
    tokenizer.save_pretrained(tmp_path / "hf")
    return tmp_path / "hf", model, tokenizer


@pytest.fixture
def m2m100(tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    write_m2m100_files(files)
    tokenizer = transformers.M2M100Tokenizer.from_pretrained(
        files, src_lang="en", tgt_lang="de"
    )
    size = len(tokenizer.encoder) + 100 + 8  # languages, and unused rows
    model = make_reference(
        "m2m_100", vocab_size=size, init_std=0.5, scale_embedding=False
    )
    with torch.no_grad():  # text is more likely than languages
        model.model.shared.weight[len(tokenizer.encoder) :] *= 0.3
    model.save_pretrained(tmp_path / "hf")
    tokenizer.save_pretrained(tmp_path / "hf")
    return tmp_path / "hf", model, tokenizer


def test_marian_translates_as_in_transformers(marian, quick):
    folder, model, tokenizer = marian
    task = kftune.models.TransformerSeq2SeqLM.from_preset(folder)
    task.compile(sampler="greedy", **quick)
    expected = tokenizer.batch_decode(
        greedy(model, tokenizer, SHORT),
        skip_special_tokens=True,
        use_source_tokenizer=False,
    )
    assert task.generate(SHORT, max_length=16) == expected
    assert len(set(expected)) == len(SHORT)
    assert task.decoding_settings.num_beams == 2


def test_marian_searches_as_its_checkpoint_says(marian, quick):
    folder, model, tokenizer = marian
    task = kftune.models.TransformerSeq2SeqLM.from_preset(folder)
    search = kftune.decoding.BeamSearch.from_settings(task.decoding_settings)
    assert (search.num_beams, search.settings.forced_eos_token_id) == (2, 0)
    task.compile(sampler=search, **quick)
    batch = tokenizer(SHORT, return_tensors="pt", padding=True)
    # The fixture took this out of generation_config.json; config.json still has it.
    rows = model.generate(**batch, max_length=16, forced_eos_token_id=0)
    expected = tokenizer.batch_decode(
        rows, skip_special_tokens=True, use_source_tokenizer=False
    )
    assert task.generate(SHORT, max_length=16) == expected
    assert expected != tokenizer.batch_decode(
        greedy(model, tokenizer, SHORT),
        skip_special_tokens=True,
        use_source_tokenizer=False,
    )


def test_m2m100_translates_into_the_language_that_is_asked_for(m2m100, quick):
    folder, model, tokenizer = m2m100
    task = kftune.models.TransformerSeq2SeqLM.from_preset(folder)
    task.compile(sampler="greedy", **quick)
    texts = {}
    for language in ("de", "fr"):
        task.preprocessor.tokenizer.target_language = language
        rows = greedy(
            model,
            tokenizer,
            SHORT,
            forced_bos_token_id=tokenizer.get_lang_id(language),
        )
        texts[language] = task.generate(SHORT, max_length=16)
        languages = set(tokenizer.lang_code_to_id.values())
        rows = [[i for i in row if i not in languages] for row in rows.tolist()]
        expected = tokenizer.batch_decode(rows, skip_special_tokens=True)
        assert texts[language] == expected
    assert texts["de"] != texts["fr"]


@pytest.mark.long
def test_marian_learns_from_strings_and_is_handed_on(marian, tmp_path, quick):
    folder, _, tokenizer = marian
    task = kftune.models.TransformerSeq2SeqLM.from_preset(
        folder, encoder_sequence_length=30, decoder_sequence_length=30
    )
    task.compile(keras.optimizers.Adam(0.01), **quick)
    history = task.fit(SOURCE, TARGET, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]
    kftune.models.save_to_hugging_face(task, tmp_path / "tuned")
    again = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "tuned")
    task.compile(sampler="greedy", **quick)
    expected = tokenizer.batch_decode(
        greedy(again.eval(), tokenizer, SHORT, forced_eos_token_id=None),
        skip_special_tokens=True,
        use_source_tokenizer=False,
    )
    assert task.generate(SHORT, max_length=16) == expected


@pytest.mark.long
def test_a_preset_keeps_tokenizer_and_settings(marian, tmp_path, quick):
    folder, _, _ = marian
    task = kftune.models.TransformerSeq2SeqLM.from_preset(folder)
    task.save_to_preset(tmp_path / "preset")
    again = kftune.models.TransformerSeq2SeqLM.from_preset(tmp_path / "preset")
    assert again.decoding_settings == task.decoding_settings
    assert again.decoding_settings.bad_words_ids
    for model in (task, again):
        model.compile(sampler="greedy", **quick)
    assert again.generate(SHORT, max_length=12) == task.generate(SHORT, max_length=12)


def test_without_a_preprocessor(marian, quick):
    folder, model, tokenizer = marian
    task = kftune.models.TransformerSeq2SeqLM.from_preset(folder, preprocessor=None)
    assert task.preprocessor is None
    task.compile(sampler="greedy", **quick)
    batch = tokenizer(SHORT, return_tensors="np", padding=True)
    start = np.full((len(SHORT), 16), tokenizer.pad_token_id)
    mask = np.zeros_like(start)
    mask[:, 0] = 1
    inputs = {
        "encoder_token_ids": batch["input_ids"],
        "encoder_padding_mask": batch["attention_mask"],
        "decoder_token_ids": start,
        "decoder_padding_mask": mask,
    }
    end = [tokenizer.eos_token_id]
    found = task.generate(inputs, stop_token_ids=end)
    expected = greedy(model, tokenizer, SHORT).numpy()
    real = keras.ops.convert_to_numpy(found["decoder_padding_mask"]).astype(bool)
    ids = keras.ops.convert_to_numpy(found["decoder_token_ids"])
    assert (ids == expected)[real[:, : expected.shape[1]]].all()


def test_gpt2_goes_on_as_in_transformers(bpe_folder, tmp_path, quick):
    model = make_gpt2(vocab_size=400, bos_token_id=0, eos_token_id=0)
    model.save_pretrained(tmp_path)
    files = [str(bpe_folder / name) for name in ("vocabulary.json", "merges.txt")]
    tokenizer = transformers.GPT2Tokenizer(vocab=files[0], merges=files[1])
    tokenizer.save_pretrained(tmp_path)
    task = kftune.models.GPT2CausalLM.from_preset(tmp_path)
    task.preprocessor.add_start_token = False
    task.compile(sampler="greedy", **quick)
    prompt = "The film is"
    ids = tokenizer(prompt, return_tensors="pt")
    rows = model.generate(**ids, do_sample=False, max_length=16, pad_token_id=0)
    found = task.generate([prompt], max_length=16, stop_token_ids=None)
    assert found == [tokenizer.decode(rows[0])]


def test_a_task_of_another_kind_is_refused(marian):
    folder, _, _ = marian
    with pytest.raises(ValueError, match="GPT2"):
        kftune.models.GPT2CausalLM.from_preset(folder)


def test_broken_settings_are_one_clear_error(marian):
    folder, _, _ = marian
    (folder / "generation_config.json").write_text("[1, 2]")
    with pytest.raises(ValueError, match=f"{folder}.*JSON object"):
        kftune.models.TransformerSeq2SeqLM.from_preset(folder)
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "marian"
