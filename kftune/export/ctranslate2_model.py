"""Hands language models on to CTranslate2, and shows that it says the same."""

import json
import tempfile
from pathlib import Path

import numpy as np

from kftune.error_text import first_few
from kftune.export.graph_languages import known_languages
from kftune.export.greedy_rows import greedy_rows
from kftune.export.hand_off import (
    HandOff,
    check_preprocessor,
    import_optional,
    new_folder,
)
from kftune.export.sample_answers import SAMPLES
from kftune.files import write_aside
from kftune.models import GPT2CausalLM, TransformerSeq2SeqLM, save_to_hugging_face
from kftune.models.n_best import own_stop_token_ids
from kftune.models.transformer.side_ends import side_ends
from kftune.models.transformer.target_language import into_language

_LONGEST = 64  # tokens of a translation that is compared
_PROMPT, _NEW = 4, 16


def export_ctranslate2(task, folder):
    """Writes a model for CTranslate2 with the files of its tokenizer.

    Before the folder appears, sample texts are translated or gone on with greedily by
    both, in float32, into every language that the tokenizer knows: all tokens must be
    the same. Single tokens among the task's `bad_words_ids` never occur; other decoding
    settings are arguments of CTranslate2's calls, whose beams follow other rules.

    Args:
        task: `GPT2CausalLM`, or `TransformerSeq2SeqLM` that `save_to_hugging_face`
            takes, with a preprocessor.
        folder: `str` or `Path`, new or empty.

    Returns:
        `HandOff`.

    Raises:
        ModuleNotFoundError: if ctranslate2, transformers or PyTorch is missing.
        FileExistsError: if something is in the folder.
        TypeError: if it is a task of another kind.
        ValueError: if transformers has no such model, or CTranslate2 gives other
            tokens; names the texts. Nothing is written.

    Example:
    ```python
    task = kftune.models.load_task("transformer_tiny_en_de")
    kftune.export.export_ctranslate2(task, "runs/ct2")
    ctranslate2.Translator("runs/ct2", compute_type="int8")
    ```
    """
    folder = new_folder(folder)
    check_preprocessor(task, (GPT2CausalLM, TransformerSeq2SeqLM))
    import_optional("ctranslate2", "ctranslate2", "transformers", "torch")
    from kftune.export.ctranslate2_converter import convert

    with write_aside(folder) as aside, tempfile.TemporaryDirectory() as temporary:
        convert(save_to_hugging_face(task, Path(temporary, "model")), aside)
        is_causal = isinstance(task, GPT2CausalLM)
        compare = _compare_completions if is_causal else _compare_translations
        return HandOff(folder, compare(task, aside))


def _compare_translations(task, folder):
    codes = known_languages(task.preprocessor.tokenizer) or [None]
    wrong = []
    for code in codes:
        rows = zip(*_translations(task, folder, code), SAMPLES, strict=True)
        into = f" into {code}" if code else ""
        wrong += [f"{text!r}{into}" for ours, theirs, text in rows if ours != theirs]
    total = len(SAMPLES) * len(codes)
    return _verdict(wrong, total, "greedy translations")


def _translations(task, folder, code):
    """Token ids of the live task and of CTranslate2."""
    import ctranslate2

    preprocessor = task.preprocessor
    length = min(_LONGEST, preprocessor.decoder_sequence_length)
    with into_language(preprocessor, list(SAMPLES), code) as told:
        inputs = preprocessor.generate_preprocess(told, decoder_sequence_length=length)
        sources = preprocessor.tokenize_rows(told, "source")
    stops = own_stop_token_ids(task)
    ours = greedy_rows(task, inputs, stops)
    pieces, target = (_vocabulary(folder, side) for side in ("source", "target"))
    (_, *starts), _ = side_ends(preprocessor.tokenizer, "target")
    prefix = [target[token_id] for token_id in starts]
    results = ctranslate2.Translator(
        str(folder), compute_type="float32"
    ).translate_batch(
        [[pieces[token_id] for token_id in row] for row in sources],
        target_prefix=[prefix] * len(sources),
        beam_size=1,
        max_decoding_length=length - 1,
        end_token=stops,
        return_end_token=True,
    )
    ids = {token: token_id for token_id, token in enumerate(target)}
    tokens = [result.hypotheses[0][len(prefix) :] for result in results]
    return ours, [[ids[token] for token in row] for row in tokens]


def _vocabulary(folder, side):
    """List of the tokens of a side, as CTranslate2 has them."""
    names = (f"{side}_vocabulary.json", "shared_vocabulary.json")
    path = next(folder / name for name in names if (folder / name).exists())
    return json.loads(path.read_text("utf-8"))


def _compare_completions(task, folder):
    import ctranslate2

    preprocessor = task.preprocessor
    tokenizer = preprocessor.tokenizer
    prompts = [row[:_PROMPT] for row in preprocessor.tokenize_rows(SAMPLES)]
    length = min(_PROMPT + _NEW, preprocessor.sequence_length)
    mask = np.arange(length) < np.array([[len(row)] for row in prompts])
    token_ids = np.zeros(mask.shape, "int32")
    token_ids[mask] = np.concatenate(prompts)
    inputs = {"token_ids": token_ids, "padding_mask": mask}
    stops = own_stop_token_ids(task)
    ours = greedy_rows(task, inputs, stops)
    generator = ctranslate2.Generator(str(folder), compute_type="float32")
    wrong = []
    for text, prompt, tokens in zip(SAMPLES, prompts, ours, strict=True):
        (result,) = generator.generate_batch(
            [[tokenizer.id_to_token(int(i)) for i in prompt]],
            beam_size=1,
            max_length=length - len(prompt),
            end_token=stops,
            include_prompt_in_result=False,
            return_end_token=True,
        )
        if result.sequences_ids[0] != tokens:
            wrong.append(repr(text))
    return _verdict(wrong, len(SAMPLES), "greedy completions")


def _verdict(wrong, total, what):
    if wrong:
        raise ValueError(
            f"Expected CTranslate2 to give the tokens of the live task in {what} of "
            f"{total} texts. Received: others for {len(wrong)}: "
            f"{first_few(wrong, show=str)}. Nothing was written."
        )
    return f"{total} of {total} {what} have the same tokens by CTranslate2 in float32"
