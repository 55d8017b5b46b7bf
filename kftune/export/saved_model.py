"""Exports a task as a SavedModel for TF Serving: strings in, strings out."""

import contextlib
from pathlib import Path

import keras
import tensorflow as tf

from kftune.export.causal_lm_signatures import CausalLMSignatures
from kftune.export.classifier_signatures import ClassifierSignatures
from kftune.export.graph_languages import known_languages
from kftune.export.sample_answers import function_cases, sample_answers, write_answers
from kftune.export.seq2seq_signatures import Seq2SeqSignatures
from kftune.export.server_files import task_facts, write_server_files
from kftune.export.tensorflow_process import export_in_tensorflow
from kftune.export.version_folder import check_version, write_version
from kftune.export.warmup_requests import write_warmup_requests
from kftune.export.without_xla import without_xla
from kftune.models import GPT2CausalLM, TextClassifier, TransformerSeq2SeqLM
from kftune.models.fast_tokenizers import is_byte_level

_SIGNATURES = {
    TextClassifier: ClassifierSignatures,
    GPT2CausalLM: CausalLMSignatures,
    TransformerSeq2SeqLM: Seq2SeqSignatures,
}


def export_saved_model(
    task, folder, version=None, *, target_language=None, xla=False, warmup=True
):
    """Writes tokenizer, model and decoder as one SavedModel for TF Serving.

    The stock server runs it as started by default, without XLA; `kftune verify` shows
    it as far as a machine without the server can. `serving_default` takes one input,
    `text`; it answers as the live task does, with the sampler that it was compiled
    with. All signatures stand in docs/serving.md. On JAX and PyTorch the task is saved
    aside and exported by a process that runs TensorFlow.

    Args:
        task: `TextClassifier`, `GPT2CausalLM` or `TransformerSeq2SeqLM` with a
            preprocessor.
        folder: `str` or `Path`, base path of the model; its name is the model's.
        version: `int` or `None` for the next free one. None is ever overwritten.
        target_language: `str` or `None`. Into which language `serving_default`
            translates, if the tokenizer knows several.
        xla: `bool`. True: XLA compiles the model when it is called; for servers that
            were started with `--xla_cpu_compilation_enabled`, or run on a GPU.
        warmup: `bool`. Whether requests are written that the server answers first.

    Returns:
        `Path` of the version's folder.

    Raises:
        TypeError: if the task is of another class.
        ValueError: if the task has no preprocessor, its sampler cannot be exported,
            the language is not known, or the folder's name is none for a model.
        FileExistsError: if the version is there.
        RuntimeError: if the process that runs TensorFlow fails.

    Example:
    ```python
    task = GPT2TextClassifier.from_preset("runs/classify_reviews/model")
    export_saved_model(task, "serving/reviews")  # serving/reviews/1
    ```
    """
    folder = Path(folder).absolute()
    options = {"target_language": target_language, "xla": xla, "warmup": warmup}
    _check_task(task)
    check_version(folder, version)
    signatures = _signatures(task, target_language, xla)
    if keras.backend.backend() != "tensorflow":
        return export_in_tensorflow(task, folder, version, options)
    answers = {**sample_answers(task, signatures), "xla": xla}
    # Outside of its context TensorFlow may trace a function anew, with XLA.
    with contextlib.nullcontext() if xla else without_xla():
        functions = {
            name: function.get_concrete_function()
            for name, function in signatures.functions().items()
        }
        answers["cases"] += function_cases(functions)

        def write(hidden):
            _write_functions(functions, task, hidden)
            write_answers(answers, hidden)
            if warmup:
                write_warmup_requests(
                    functions, hidden, folder.name, _any_language(task, target_language)
                )

        written = write_version(folder, write, version)
    write_server_files(
        folder,
        version=written.name,
        functions=functions,
        facts=task_facts(task),
        xla=xla,
    )
    return written


def _write_functions(functions, task, folder):
    """Writes signatures with the weights and tables of a task."""
    module = tf.Module()
    # Not the Keras variables themselves: a session would not find their values.
    module.weights = [variable.value for variable in task.variables]
    module.tokenizer = task.preprocessor.graph_tokenizer
    if not is_byte_level(task.preprocessor.tokenizer):
        # Else KerasHub's table of words would come along, which grows.
        module.more_tables = task.preprocessor.tokenizer
    tf.saved_model.save(module, str(folder), signatures=functions)


def _signatures(task, target_language, xla):
    made = next(made for cls, made in _SIGNATURES.items() if isinstance(task, cls))
    if made is Seq2SeqSignatures:
        return made(task, target_language=target_language, jit_compile=xla)
    if target_language is not None:
        raise ValueError(
            "Expected a target_language with an encoder-decoder only. Received: "
            f"{target_language!r} with {type(task).__name__}"
        )
    return made(task, jit_compile=xla)


def _any_language(task, target_language):
    """A code that signatures take, or `None` if the tokenizer knows no languages."""
    known = known_languages(task.preprocessor.tokenizer)
    return target_language or next(iter(known), None)


def _check_task(task):
    if not isinstance(task, tuple(_SIGNATURES)):
        known = ", ".join(cls.__name__ for cls in _SIGNATURES)
        raise TypeError(
            f"Expected a task of kftune.models: {known}. Received: "
            f"{type(task).__module__}.{type(task).__name__}"
        )
    if task.preprocessor is None:
        raise ValueError(
            "Expected a task with a preprocessor, because the export takes strings. "
            f"Received: {type(task).__name__} without one"
        )
