"""Loads a task of kftune, whichever a preset holds."""

from kftune.models.converters.hf_files import read_json, read_json_if_there
from kftune.models.gpt2.gpt2_causal_lm import GPT2CausalLM
from kftune.models.pretrained.preset_catalog import locate
from kftune.models.pretrained.preset_files import clear_errors
from kftune.models.saved_tasks import saved_task_class
from kftune.models.text_classifier import TextClassifier
from kftune.models.transformer.transformer_seq2seq_lm import TransformerSeq2SeqLM

# Tasks of others that ours load: the class in KerasHub's task.json, or the architecture
# in Hugging Face's config.json.
_OTHERS = {
    "GPT2CausalLM": GPT2CausalLM,
    "GPT2LMHeadModel": GPT2CausalLM,
    "GPT2ForSequenceClassification": TextClassifier,
    "BartSeq2SeqLM": TransformerSeq2SeqLM,
    "BartForConditionalGeneration": TransformerSeq2SeqLM,
    "M2M100ForConditionalGeneration": TransformerSeq2SeqLM,
    "MarianMTModel": TransformerSeq2SeqLM,
}
_LANGUAGE_MODELS = {
    "GPT2Backbone": GPT2CausalLM,
    "BartBackbone": TransformerSeq2SeqLM,
    "TransformerBackbone": TransformerSeq2SeqLM,
}


def load_task(preset, *, offline=False):
    """Loads the task that a preset holds, without being told its class.

    Args:
        preset: `str` or `Path`. A name (see `kftune.models.presets`), a KerasHub name,
            `hf://owner/name`, or a local folder of kftune, KerasHub or Hugging Face.
        offline: `bool`. True: what is on this machine or an error, no network.

    Returns:
        `TextClassifier`, `GPT2CausalLM` or `TransformerSeq2SeqLM`, compiled, as
        `from_preset` of its class gives it.

    Raises:
        FileNotFoundError: if a file is missing, or if `offline` and the preset is not
            on this machine.
        ConnectionError: if the preset could not be fetched.
        ValueError: if there is no such preset, its files are broken, or it holds a
            backbone alone or a task that kftune does not have.

    Example:
    ```python
    task = kftune.models.load_task("gpt2_tiny_en")  # a GPT2CausalLM
    kftune.export.export_saved_model(task, "serving/gpt2")
    ```
    """
    folder = locate(preset, offline=offline)
    return _task_class(folder).from_preset(folder)


def _task_class(folder):
    saved = saved_task_class(folder)
    if saved is not None:
        return saved
    with clear_errors(folder):
        config = read_json(folder, "config.json")
        task = read_json_if_there(folder, "task.json").get("class_name")
    names = [task] if task else config.get("architectures") or []
    found = [_OTHERS[name] for name in names if name in _OTHERS]
    if not found:
        raise ValueError(_no_task(folder, names, config.get("class_name")))
    return found[0]


def _no_task(folder, names, backbone):
    known = ", ".join(sorted({cls.__name__ for cls in _OTHERS.values()}))
    received = " ".join(names) if names else f"the backbone {backbone} and no task"
    advice = "TextClassifier.from_preset with num_classes"
    if backbone in _LANGUAGE_MODELS:
        advice = f"{_LANGUAGE_MODELS[backbone].__name__}.from_preset, or {advice}"
    return (
        f"Expected a task in {folder} that kftune loads as one of {known}. Received: "
        f"{received}. Load it with {advice}, and save that task."
    )
