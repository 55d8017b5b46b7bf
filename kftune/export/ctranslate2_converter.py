"""Hugging Face folders of kftune as models of CTranslate2."""

import json
import shutil

import torch
import transformers
from ctranslate2.converters import TransformersConverter
from ctranslate2.converters.converter import Converter
from ctranslate2.converters.transformers import BartLoader

# The logit of a token that never occurs; float16 holds it, too.
_NEVER = -1e4
_NOT_COPIED = ("config.json", "generation_config.json")


def convert(hugging_face, folder):
    """Writes a model of CTranslate2 in float32, with the files of its tokenizer.

    Args:
        hugging_face: `Path` of what `save_to_hugging_face` wrote, with a tokenizer.
        folder: `Path` that does not exist yet.
    """
    config = json.loads((hugging_face / "config.json").read_text("utf-8"))
    if config.get("is_encoder_decoder"):
        converter = EncoderDecoderConverter(hugging_face)
    else:
        converter = TransformersConverter(str(hugging_face))
    converter.convert(str(folder))
    for path in hugging_face.iterdir():
        if ".safetensors" not in path.name and path.name not in _NOT_COPIED:
            shutil.copy(path, folder)


class EncoderDecoderConverter(Converter):
    """Converts a BART or Marian of kftune, which CTranslate2's own converter does not.

    That one lets every Marian start from zeros, takes one vocabulary and one number of
    heads for both sides, and forgets which tokens never occur.

    Args:
        folder: `Path` of a Hugging Face folder.

    Example:
    ```python
    EncoderDecoderConverter(Path("runs/hf")).convert("runs/ct2")
    ```
    """

    def __init__(self, folder):
        self._folder = folder

    @torch.no_grad()
    def _load(self):
        model = transformers.AutoModelForSeq2SeqLM.from_pretrained(self._folder)
        words = model.generation_config.bad_words_ids or []
        banned = [word[0] for word in words if len(word) == 1]
        model.final_logits_bias[:, banned] = _NEVER
        is_marian = model.config.model_type == "marian"
        # The loader asks for what newer versions of transformers do not state.
        model.config.normalize_before = False
        model.config.normalize_embedding = not is_marian
        loader = MarianLoader(self._folder) if is_marian else BartLoader()
        tokenizer = transformers.AutoTokenizer.from_pretrained(self._folder)
        spec = loader(model, tokenizer)
        heads = type(spec.decoder.num_heads)
        spec.decoder.num_heads = heads(model.config.decoder_attention_heads)
        return spec


class MarianLoader(BartLoader):
    """Reads a Marian whose decoder starts from the embedding of its start token.

    Args:
        folder: `Path` of a Hugging Face folder.
    """

    def __init__(self, folder):
        self._folder = folder

    def get_vocabulary(self, model, tokenizer):
        """Gives the tokens of source and target."""
        source = self._tokens("vocab.json")
        if not (self._folder / "target_vocab.json").exists():
            return source, source
        return source, self._tokens("target_vocab.json")

    def set_vocabulary(self, spec, tokens):
        """See `ctranslate2.converters.transformers.ModelLoader`."""
        source, target = tokens
        spec.register_source_vocabulary(source)
        spec.register_target_vocabulary(target)

    def set_config(self, config, model, tokenizer):
        """See `ctranslate2.converters.transformers.ModelLoader`."""
        _, target = self.get_vocabulary(model, tokenizer)
        config.eos_token = tokenizer.eos_token
        config.unk_token = tokenizer.unk_token
        config.decoder_start_token = target[model.config.decoder_start_token_id]

    def _tokens(self, name):
        ids = json.loads((self._folder / name).read_text("utf-8"))
        return sorted(ids, key=ids.get)
