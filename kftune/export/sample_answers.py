"""Answers of the live task, kept beside the export to compare with."""

import json

import numpy as np

import kftune
from kftune.export.classifier_signatures import head_answers
from kftune.export.row_sampler import row_sampler_settings

ANSWERS_FILE = "assets.extra/expected.json"
SAMPLES = (
    "A warm, funny and engaging film.",
    "The file could not be opened.",
    "Two men are playing football in the rain.",
    "How do I reset my password?",
    "Très bien ! Schöne Grüße, ça va ?",
    "It's 3 o'clock, and nobody's here…",
    "Emoji 😀 and right-to-left שלום in one line.",
    "One sentence that is a good deal longer than the others, because texts of "
    "different lengths stand side by side in the batches of a server.",
)


def sample_answers(task, signatures, texts=SAMPLES):
    """Lets the live task answer a few texts.

    Args:
        task: what is exported.
        signatures: its `ClassifierSignatures`, or those of a generator.
        texts: sequence of `str`.

    Returns:
        Dict of JSON's types: `kftune`, the version, `task`, the kind, and `cases`, a
        list of dicts of `signature`, `inputs` and `outputs`. There is no case if the
        task draws at random.
    """
    texts = list(texts)
    if signatures.kind == "classifier":
        outputs = _classified(task, texts)
    elif signatures.kind == "seq2seq":
        language = signatures.target_language
        outputs = {"translation": task.generate(texts, target_language=language)}
    elif row_sampler_settings(task.sampler) is None:
        outputs = {"completion": task.generate(texts, strip_prompt=True)}
    else:
        outputs = None
    case = {
        "signature": "serving_default",
        "inputs": {"text": texts},
        "outputs": outputs,
    }
    return {
        "kftune": kftune.__version__,
        "task": signatures.kind,
        "cases": [] if outputs is None else [case],
    }


def write_answers(answers, folder):
    """Writes the answers where the server does not look.

    Args:
        answers: dict of `sample_answers`.
        folder: `Path` of a version.
    """
    path = folder / ANSWERS_FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(answers, ensure_ascii=False, indent=1), "utf-8")


def _classified(task, texts):
    outputs = task.predict(texts, verbose=0)
    if not task.has_several_heads:
        outputs = {"": outputs}
    return {
        name + (f"_{head}" if head else ""): _as_list(answer)
        for head, output in outputs.items()
        for name, answer in head_answers(task.heads[head or "head"], output).items()
    }


def _as_list(tensor):
    values = np.asarray(tensor)
    if values.dtype == object:
        values = np.vectorize(bytes.decode, otypes=[object])(values)
    return values.tolist()
