"""What a saved preset predicts by Keras, as cases in the form of `expected.json`.

It runs in a process of its own: where a session like the server's is open, XLA is
disabled.
"""

import json
import sys
from pathlib import Path

import numpy as np

from kftune.export.checks.version_files import read_expected, read_meta_graph
from kftune.export.server_session import read_signatures

_MOST_TEXTS = 16
_NEW_TOKENS = 16
_MAX_LENGTH = 32


def main(preset, version, path):
    """Writes the cases of a preset to a file of JSON.

    Args:
        preset: `str`, folder or name of the preset that was exported.
        version: `str`, the folder of the version.
        path: `str`, the file.

    Raises:
        ValueError: if `expected.json` does not say what the task is, or has no texts.
    """
    version = Path(version)
    expected = read_expected(version) or {}
    make = _MAKERS.get(expected.get("task"))
    texts = _texts(expected)
    if make is None or not texts:
        raise ValueError(
            f"Expected texts in {version}/assets.extra/expected.json, and a task of "
            f"{sorted(_MAKERS)}. Received: task {expected.get('task')!r}, "
            f"{len(texts)} texts. Export again."
        )
    signatures = read_signatures(read_meta_graph(version))
    cases = make(preset, texts, expected, signatures)
    Path(path).write_text(json.dumps({"cases": cases}), "utf-8")


def _texts(expected):
    """The texts of the export, or the first that were sent as `text`, each once."""
    if "texts" in expected:
        return expected["texts"]
    sent = [t for c in expected.get("cases", []) for t in c["inputs"].get("text", [])]
    return list(dict.fromkeys(sent))[:_MOST_TEXTS]


def _classifier_cases(preset, texts, expected, signatures):
    from kftune.models import TextClassifier

    task = TextClassifier.from_preset(preset)
    outputs = task.predict(texts, verbose=0)
    heads = task.heads
    outputs = outputs if task.has_several_heads else {"head": outputs}
    named = {}
    for name, head in heads.items():
        suffix = f"_{name}" if task.has_several_heads else ""
        values = np.asarray(outputs[name], "float64")
        if head.problem_type == "regression":
            named[f"values{suffix}"] = values.tolist()
            continue
        named[f"probabilities{suffix}"] = _probabilities(head, values).tolist()
        if head.label_names is not None:
            named[f"label_names{suffix}"] = [head.label_names] * len(texts)
    return [_case("serving_default", {"text": texts}, named)]


def _probabilities(head, outputs):
    """Softmax or sigmoid of logits; what are probabilities stays."""
    if getattr(head.activation, "__name__", None) != "linear":
        return outputs
    if head.problem_type == "multi_label_classification":
        return 1 / (1 + np.exp(-outputs))
    powers = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _causal_cases(preset, texts, expected, signatures):
    """Greedy completions, text by text: `max_length` counts the prompt, too."""
    from kftune.models import GPT2CausalLM

    task = GPT2CausalLM.from_preset(preset)
    task.compile(sampler="greedy", jit_compile=False)
    completions = []
    for text in texts:
        mask = task.preprocessor.generate_preprocess([text])["padding_mask"]
        length = min(int(np.sum(mask)) + _NEW_TOKENS, task.preprocessor.sequence_length)
        completions.append(task.generate(text, length, strip_prompt=True))
    options = {
        "max_new_tokens": _NEW_TOKENS,
        "temperature": 0.0,
        "top_k": 1,
        "top_p": 1.0,
        "seed": 0,
    }
    inputs = {name: [value] * len(texts) for name, value in options.items()}
    return [_case("generate", {"text": texts, **inputs}, {"completion": completions})]


def _seq2seq_cases(preset, texts, expected, signatures):
    """Translations with the sampler that was exported."""
    from kftune.models import TransformerSeq2SeqLM

    task = TransformerSeq2SeqLM.from_preset(preset)
    task.compile(sampler=_sampler(task, expected), jit_compile=False)
    languages = [None]
    if "target_language" in signatures["translate"].inputs:
        sent = [c["inputs"].get("target_language", []) for c in expected["cases"]]
        languages = sorted({language for some in sent for language in some})
    cases = []
    longest = min(_MAX_LENGTH, task.preprocessor.decoder_sequence_length)
    for language in languages:
        translations = task.generate(texts, longest, target_language=language)
        inputs = {"text": texts, "max_length": [longest] * len(texts)}
        if language is not None:
            inputs["target_language"] = [language] * len(texts)
        cases.append(_case("translate", inputs, {"translation": translations}))
    return cases


def _sampler(task, expected):
    """The sampler that the export noted, else the search that the preset asks for."""
    import keras

    from kftune.decoding import BeamSearch

    if expected.get("sampler"):
        return keras.saving.deserialize_keras_object(expected["sampler"])
    if (task.decoding_settings.num_beams or 1) > 1:
        return BeamSearch.from_settings(task.decoding_settings)
    return "greedy"


def _case(signature, inputs, outputs):
    return {"signature": signature, "inputs": inputs, "outputs": outputs}


_MAKERS = {
    "causal_lm": _causal_cases,
    "classifier": _classifier_cases,
    "seq2seq": _seq2seq_cases,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
