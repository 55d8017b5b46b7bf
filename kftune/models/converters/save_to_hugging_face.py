"""Hands models on to transformers and to whatever reads its folders."""

import json
from pathlib import Path

import keras_hub

from kftune.files import check_model_folder, write_aside
from kftune.models.converters.hf_bart import BART
from kftune.models.converters.hf_gpt2 import gpt2_config, gpt2_table
from kftune.models.converters.hf_marian import MARIAN
from kftune.models.converters.hf_tokenizer_files import write_tokenizer
from kftune.models.converters.tensor_table import save_tensors
from kftune.models.decoding_settings import DecodingSettings
from kftune.models.gpt2.gpt2_backbone import GPT2Backbone
from kftune.models.n_best import own_stop_token_ids
from kftune.models.tokenizers.translation_tokenizer import TranslationTokenizer
from kftune.models.transformer.transformer_backbone import TransformerBackbone

_GPT2 = (GPT2Backbone, keras_hub.models.GPT2Backbone)
# What belongs into config.json beside generation_config.json.
_TOKEN_IDS = ("decoder_start_token_id", "eos_token_id", "pad_token_id")
_CONFIG_IDS = ("bos_token_id", *_TOKEN_IDS)


def save_to_hugging_face(task, folder):
    """Saves a GPT-2, Marian or BART as a folder that transformers loads.

    The logits there are those here. LoRA is merged into the weights. What the task
    knows of decoding goes into `generation_config.json`.

    Args:
        task: `GPT2CausalLM` or `TransformerSeq2SeqLM`, or KerasHub's `GPT2CausalLM`.
            Its tokenizer is written if it has one.
        folder: `str` or `Path`, replaced as a whole when it is complete.

    Returns:
        The folder's `Path`.

    Raises:
        FileExistsError: if the folder holds something else than a model.
        TypeError: if it is a task of another kind.
        ValueError: if the weights are quantised, if the model computes what neither
            Marian nor BART does, if nothing tells which tokens start and end a target,
            or if the target's vocabulary is so small that it lacks the id of padding;
            lists what differs. Nothing is written.

    Example:
    ```python
    task = kftune.models.GPT2CausalLM.from_preset("gpt2_tiny_en")
    kftune.models.save_to_hugging_face(task, "runs/gpt2_hf")
    model = transformers.AutoModelForCausalLM.from_pretrained("runs/gpt2_hf")
    ```
    """
    folder = Path(folder)
    check_model_folder(folder)
    architecture, table = _format(task.backbone)
    _check_not_quantised(table)
    tokenizer = getattr(task.preprocessor, "tokenizer", None)
    settings = _decoding(task, tokenizer)
    token_ids = {name: settings[name] for name in _CONFIG_IDS if name in settings}
    with write_aside(folder) as aside:
        aside.mkdir(parents=True)
        config = {**architecture, **token_ids, "dtype": "float32"}
        _write_json(config, aside / "config.json")
        _write_json(settings, aside / "generation_config.json")
        if tokenizer is not None:
            write_tokenizer(tokenizer, aside)
        save_tensors(table, aside)
    return folder


def _format(backbone):
    """What config.json says of the architecture, and the table of tensors."""
    if isinstance(backbone, _GPT2):
        return gpt2_config(backbone), gpt2_table(backbone)
    if not isinstance(backbone, TransformerBackbone):
        raise TypeError(
            "Expected a task on a GPT2Backbone or TransformerBackbone. Received: "
            f"{type(backbone).__name__}"
        )
    wrong = []
    for family in (MARIAN, BART):
        differences = family.differences(backbone)
        if not differences:
            return family.config(backbone), family.table(backbone)
        wrong.append(f"for {family.architecture} {', '.join(differences)}")
    raise ValueError(
        "Expected a model that transformers' Marian or BART computes. Received: "
        + "; ".join(wrong)
    )


def _decoding(task, tokenizer):
    """Decoding settings; ids that they do not state are those of the tokenizer."""
    settings = getattr(task, "decoding_settings", None) or DecodingSettings()
    stated = settings.stated()
    names = ("decoder_sequence_length", "sequence_length")
    lengths = [getattr(task.preprocessor, name, None) for name in names]
    if longest := next(filter(None, lengths), None):
        # transformers would stop after 20 tokens.
        stated.setdefault("max_length", longest)
    if not isinstance(task.backbone, TransformerBackbone):
        return {**_gpt2_ids(task, tokenizer), **stated}
    if tokenizer is not None:
        stated.setdefault("eos_token_id", _decoder_end(tokenizer))
        stated.setdefault("pad_token_id", tokenizer.pad_token_id)
        stated.setdefault("decoder_start_token_id", _decoder_start(tokenizer))
    if isinstance(tokenizer, keras_hub.models.BartTokenizer):
        # Here <s> always comes second.
        stated["forced_bos_token_id"] = tokenizer.start_token_id
    missing = [name for name in _TOKEN_IDS if name not in stated]
    if missing:
        raise ValueError(
            f"Expected {', '.join(missing)} from the tokenizer or the "
            "decoding_settings of the task. Received a task that has neither"
        )
    _check_padding(task.backbone, stated["pad_token_id"])
    return stated


def _gpt2_ids(task, tokenizer):
    """Start and ends; `None`, or transformers takes those of OpenAI's GPT-2."""
    if tokenizer is None:
        return {"bos_token_id": None, "eos_token_id": None}
    ends = own_stop_token_ids(task)
    return {
        "bos_token_id": getattr(tokenizer, "start_token_id", ends[0]),
        "eos_token_id": ends if len(ends) > 1 else ends[0],
    }


def _check_padding(backbone, pad_token_id):
    sizes = (backbone.vocabulary_size, backbone.decoder_vocabulary_size)
    if pad_token_id >= min(sizes):
        raise ValueError(
            "Expected a pad_token_id that both vocabularies have, as transformers pads "
            f"sources and targets with one. Received: {pad_token_id}, and vocabularies "
            f"of {sizes[0]} and {sizes[1]} tokens. Train the target's tokenizer with "
            "as many tokens"
        )


def _decoder_start(tokenizer):
    """BART's decoder starts with the end token."""
    if isinstance(tokenizer, TranslationTokenizer):
        return tokenizer.target_start_ids[0]
    if isinstance(tokenizer, keras_hub.models.BartTokenizer):
        return tokenizer.end_token_id
    return tokenizer.start_token_id


def _decoder_end(tokenizer):
    """The target's end, which a vocabulary of its own may have elsewhere."""
    if isinstance(tokenizer, TranslationTokenizer):
        return tokenizer.target_end_ids[0]
    return tokenizer.end_token_id


def _check_not_quantised(table):
    layers = {layer for row in table.rows for layer in row.layers}
    quantised = sorted(
        layer.path for layer in layers if getattr(layer, "quantization_mode", None)
    )
    if quantised:
        raise ValueError(
            "Expected weights in floating point: transformers quantises by itself. "
            f"Received quantised ones in {', '.join(quantised)}"
        )


def _write_json(content, path):
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
