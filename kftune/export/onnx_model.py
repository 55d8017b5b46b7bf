"""Hands classifiers on to ONNX Runtime, and shows that it computes the same."""

import json

import keras
import numpy as np

from kftune.export.classifier_signatures import head_answers
from kftune.export.hand_off import (
    TOLERANCE,
    HandOff,
    check_preprocessor,
    import_optional,
    largest_difference,
    new_folder,
)
from kftune.export.sample_answers import SAMPLES
from kftune.files import write_aside
from kftune.models import TextClassifier, fast_tokenizer
from kftune.models.layer_tree import sublayers
from kftune.models.token_rows import special_ids

_ACTIVATIONS = {
    "multi_label_classification": "sigmoid",
    "single_label_classification": "softmax",
}


def export_onnx(task, folder):
    """Writes a classifier on token ids for ONNX Runtime.

    `model.onnx` takes `token_ids` and `padding_mask`, int32 `(B, T)`, 1 in the mask for
    a real token, and gives `probabilities`, float32 `(B, C)`, or `values` for a
    regression; if there are several heads, each name ends in `_<head>`. `model.json`
    says which ids stand around a text and what the columns are called.
    `tokenizer.json`, for the `tokenizers` library, is there if it knows the tokenizer.
    Before the folder appears, ONNX Runtime answers sample texts as the task does.

    Args:
        task: `TextClassifier` with a preprocessor, which computes in float32.
        folder: `str` or `Path`, new or empty.

    Returns:
        `HandOff`.

    Raises:
        ModuleNotFoundError: if tf2onnx, onnx or onnxruntime is missing.
        FileExistsError: if something is in the folder.
        TypeError: if it is a task of another kind.
        ValueError: if Keras does not run on TensorFlow, the task computes in another
            precision, or ONNX Runtime gives other numbers. Nothing is written.

    Example:
    ```python
    task = kftune.models.load_task("runs/classify_reviews/model")
    kftune.export.export_onnx(task, "runs/onnx")
    onnxruntime.InferenceSession("runs/onnx/model.onnx")
    ```
    """
    folder = new_folder(folder)
    check_preprocessor(task, (TextClassifier,))
    import_optional("onnx", "onnx", "onnxruntime", "tf2onnx")
    _check_computation(task)
    with write_aside(folder) as aside:
        aside.mkdir()
        _with_answers(task).export(
            aside / "model.onnx",
            format="onnx",
            verbose=False,
            input_signature=[
                {
                    name: keras.InputSpec(x.dtype, x.shape, name=name)
                    for name, x in task.input.items()
                }
            ],
        )
        _write_tokenizer(task, aside)
        return HandOff(folder, _compare(task, aside))


def _with_answers(task):
    """The task's model, with probabilities in place of logits."""
    answers = {}
    for name, head, output in _heads(task, task.output):
        is_done = head.activation is not keras.activations.linear
        kind = "linear" if is_done else _ACTIVATIONS.get(head.problem_type, "linear")
        answers[name] = keras.layers.Activation(kind, dtype="float32")(output)
    return keras.Model(task.input, answers)


def _heads(task, outputs):
    """Tuples of a name of an answer, its head and the head's output."""
    outputs = outputs if task.has_several_heads else {"head": outputs}
    for name, head in task.heads.items():
        kind = "values" if head.problem_type == "regression" else "probabilities"
        suffix = f"_{name}" if task.has_several_heads else ""
        yield kind + suffix, head, outputs[name]


def _write_tokenizer(task, folder):
    preprocessor = task.preprocessor
    fast = fast_tokenizer(preprocessor.tokenizer)
    if fast is not None:
        fast.save(str(folder / "tokenizer.json"))
    facts = {
        "tokens_at_most": preprocessor.sequence_length,
        "tokens_before": special_ids(preprocessor, "start"),
        "tokens_after": special_ids(preprocessor, "end"),
        "truncate": preprocessor.truncate,
        "outputs": {
            name: head.label_names or head.num_classes
            for name, head, _ in _heads(task, task.output)
        },
    }
    text = json.dumps(facts, ensure_ascii=False, indent=1)
    (folder / "model.json").write_text(text + "\n", "utf-8")


def _compare(task, folder):
    """All texts in one batch, and each alone, without padding."""
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "model.onnx")
    features = task.preprocessor(list(SAMPLES))
    rows = task.preprocessor.tokenize_rows(list(SAMPLES))
    together = _answers(session, features["token_ids"], features["padding_mask"])
    alone = [_answers(session, row[None], np.ones_like(row[None])) for row in rows]
    largest = 0
    for name, head, output in _heads(task, task.predict(list(SAMPLES), verbose=0)):
        expected = head_answers(head, output)[name.split("_")[0]]
        each = np.concatenate([answer[name] for answer in alone])
        for found in (together[name], each):
            largest = max(largest, largest_difference(found, expected))
    return (
        f"answers to {len(SAMPLES)} texts by ONNX Runtime within {TOLERANCE} "
        f"(largest difference {largest:.1g})"
    )


def _answers(session, token_ids, mask):
    inputs = {"token_ids": token_ids, "padding_mask": mask}
    inputs = {name: np.asarray(rows, "int32") for name, rows in inputs.items()}
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def _check_computation(task):
    wrong = []
    if keras.backend.backend() != "tensorflow":
        wrong.append(
            f"the backend {keras.backend.backend()}; set KERAS_BACKEND=tensorflow and "
            "load the saved task there"
        )
    policies = {layer.dtype_policy.name for layer in sublayers(task.backbone)}
    if others := sorted(policies - {"float32"}):
        wrong.append(
            f'the dtype policy {", ".join(others)}; load the task with dtype="float32"'
        )
    if wrong:
        raise ValueError(
            "Expected a task that TensorFlow computes in float32 for ONNX. Received: "
            + "; and ".join(wrong)
        )
