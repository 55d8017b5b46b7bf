"""Answers of the live task, kept beside the export to compare with."""

import json

import keras
import numpy as np
import tensorflow as tf

import kftune
from kftune.export.classifier_signatures import head_answers
from kftune.export.graph_languages import known_languages
from kftune.export.row_sampler import row_sampler_settings

ANSWERS_FILE = "assets.extra/expected.json"
SAMPLES = (
    "Good.",
    "A warm, funny and engaging film.",
    "The file could not be opened.",
    "How do I reset my password?",
    "Très bien ! Schöne Grüße, ça va ?",
    "It's 3 o'clock, and nobody's here…",
    "Emoji 😀 and right-to-left שלום in one line.",
    "One sentence that is a good deal longer than the others, because texts of "
    "different lengths stand side by side in the batches of a server.",
)


def sample_answers(task, signatures):
    """Lets the live task answer a few texts.

    Args:
        task: what is exported.
        signatures: its `ClassifierSignatures`, or those of a generator.

    Returns:
        Dict of JSON's types: `kftune`, the version; `task`, the kind; `compute_dtype`,
        of its backbone; `sampler`, its config or `None`; `texts`; and `cases`, a list
        of dicts of `signature`, `inputs` and `outputs`. There is no completion of a
        task that draws at random.
    """
    texts, cases = _MAKERS[signatures.kind](task, signatures)
    sampler = getattr(task, "sampler", None)
    return {
        "kftune": kftune.__version__,
        "task": signatures.kind,
        "compute_dtype": task.backbone.compute_dtype,
        "sampler": sampler and keras.saving.serialize_keras_object(sampler),
        "texts": texts,
        "cases": cases,
    }


def function_cases(functions):
    """Makes cases of what the live task has no method for, by the functions here.

    Args:
        functions: dict of `ConcreteFunction` by name.

    Returns:
        List of dicts, as the `cases` of `sample_answers`.
    """
    texts, cases = list(SAMPLES), []
    for name in ("embed", "n_best", "score"):
        if name not in functions:
            continue
        specs, _ = functions[name].structured_input_signature
        outputs = functions[name](*(tf.constant(texts) for _ in specs))
        answers = {key: _as_list(values) for key, values in outputs.items()}
        cases.append(_case({spec.name: texts for spec in specs}, answers, name))
    return cases


def write_answers(answers, folder):
    """Writes the answers where the server does not look.

    Args:
        answers: dict of `sample_answers`.
        folder: `Path` of a version.
    """
    path = folder / ANSWERS_FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(answers, ensure_ascii=False, indent=1), "utf-8")


def _classifier_cases(task, signatures):
    texts = list(SAMPLES)
    outputs = task.predict(texts, verbose=0)
    if not task.has_several_heads:
        outputs = {"head": outputs}
    answers = {
        name + (f"_{head}" if task.has_several_heads else ""): _as_list(answer)
        for head, output in outputs.items()
        for name, answer in head_answers(task.heads[head], output).items()
    }
    return texts, [_case({"text": texts}, answers)]


def _causal_lm_cases(task, signatures):
    # The live task refuses prompts that fill a row.
    rows = task.preprocessor.tokenize_rows(SAMPLES, cut=False)
    longest = task.preprocessor.sequence_length
    texts = [
        text for text, row in zip(SAMPLES, rows, strict=True) if len(row) < longest
    ]
    if not texts or row_sampler_settings(task.sampler) is not None:
        return texts, []
    completions = task.generate(texts, strip_prompt=True)
    return texts, [_case({"text": texts}, {"completion": completions})]


def _seq2seq_cases(task, signatures):
    texts = list(SAMPLES)
    outputs = task.generate(texts, target_language=signatures.target_language)
    cases = [_case({"text": texts}, {"translation": outputs})]
    for code in known_languages(task.preprocessor.tokenizer):
        inputs = {
            "text": texts,
            "max_length": [task.preprocessor.decoder_sequence_length] * len(texts),
            "target_language": [code] * len(texts),
        }
        outputs = task.generate(texts, target_language=code)
        cases.append(_case(inputs, {"translation": outputs}, "translate"))
    return texts, cases


def _case(inputs, outputs, signature="serving_default"):
    return {"signature": signature, "inputs": inputs, "outputs": outputs}


def _as_list(tensor):
    values = np.asarray(tensor)
    if values.dtype == object:
        values = np.vectorize(bytes.decode, otypes=[object])(values)
    return values.tolist()


_MAKERS = {
    "causal_lm": _causal_lm_cases,
    "classifier": _classifier_cases,
    "seq2seq": _seq2seq_cases,
}
