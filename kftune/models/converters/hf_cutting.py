"""How Hugging Face folders cut texts into words, as far as it can be done here."""

from kftune.models.converters.hf_files import check_settings, read_json_if_there

# These classes of transformers do what tokenizer.json says. Those of a model do what
# tokenizer_config.json says, and where it is silent what the model's first ones did.
_BY_FILE = ("PreTrainedTokenizerFast", "TokenizersBackend")
_BYTE_LEVEL = {
    "normalizer": (None,),
    "pre_tokenizer": ("ByteLevel",),
    "use_regex": (True,),
    "continuing_subword_prefix": (None, ""),
    "end_of_word_suffix": (None, ""),
    "dropout": (None, 0.0),
    "byte_fallback": (False,),
    "ignore_merges": (False,),
}
_BERT = {
    "normalizer": ("BertNormalizer",),
    "pre_tokenizer": ("BertPreTokenizer",),
    "clean_text": (True,),
    "tokenize_chinese_chars": (True,),
    "do_basic_tokenize": (True,),
    "added_tokens": ([],),
}
# What tokenizer.json calls otherwise than tokenizer_config.json.
_NAMES = {
    "handle_chinese_chars": "tokenize_chinese_chars",
    "lowercase": "do_lower_case",
}
_BERT_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def byte_level_options(folder):
    """Reads how a byte-level tokenizer cuts, and checks that it can be done here.

    Args:
        folder: `Path` of a Hugging Face folder of a GPT-2 or BART.

    Returns:
        Dict of `add_prefix_space`, an argument of KerasHub's tokenizers.

    Raises:
        ValueError: if `tokenizer.json` wants something else; lists all of it.
    """
    config, file = _settings(folder)
    cut = _only(file.get("pre_tokenizer") or {})
    settings = {**file.get("model", {}), **cut, **_types(file)}
    check_settings(_named(folder, settings), _BYTE_LEVEL, folder)
    stated = cut if _is_by_file(config) else config
    return {"add_prefix_space": bool(stated.get("add_prefix_space"))}


def bert_options(folder):
    """Reads how BERT's tokenizer cuts, and checks that it can be done here.

    Args:
        folder: `Path` of a Hugging Face folder of a BERT or DistilBERT.

    Returns:
        Dict of `lowercase` and `strip_accents`, arguments of KerasHub's tokenizers.

    Raises:
        ValueError: if the files want something else, such as to keep Chinese characters
            together, or tokens that were added; lists all of it.
    """
    config, file = _settings(folder)
    added = {"added_tokens": _added(folder, config, file)}
    if _is_by_file(config):
        folding = _only(file.get("normalizer") or {})
        config = {_NAMES.get(name, name): value for name, value in folding.items()}
    check_settings(_named(folder, config | _types(file) | added), _BERT, folder)
    lowercase = config.get("do_lower_case", True)
    strip_accents = config.get("strip_accents")
    return {
        "lowercase": lowercase,
        "strip_accents": lowercase if strip_accents is None else strip_accents,
    }


def _settings(folder):
    names = ("tokenizer_config.json", "tokenizer.json")
    return [read_json_if_there(folder, name) for name in names]


def _is_by_file(config):
    return config.get("tokenizer_class") in _BY_FILE


def _named(folder, settings):
    """Settings with a name for the message."""
    model = read_json_if_there(folder, "config.json").get("model_type")
    return {**settings, "model_type": f"tokenizer of a {model}"}


def _types(file):
    """The types of the steps before tokens are looked up, those that are stated."""
    names = ("normalizer", "pre_tokenizer")
    return {name: _type(file[name]) for name in names if name in file}


def _type(step):
    step = _only(step or {})
    parts = _parts(step)
    return [_type(part) for part in parts] if parts else step.get("type")


def _only(step):
    """The step itself, or the one of a sequence of one."""
    parts = _parts(step)
    return parts[0] if len(parts) == 1 else step


def _parts(step):
    return step.get("pretokenizers") or step.get("normalizers") or ()


def _added(folder, config, file):
    """Tokens beside BERT's own that are never cut, those the embedding has rows for."""
    added = {token["content"]: token["id"] for token in file.get("added_tokens", ())}
    for number, token in config.get("added_tokens_decoder", {}).items():
        added[token["content"]] = int(number)
    added |= read_json_if_there(folder, "added_tokens.json")
    rows = read_json_if_there(folder, "config.json").get("vocab_size", 0)
    return sorted(t for t, i in added.items() if i < rows and t not in _BERT_SPECIAL)
