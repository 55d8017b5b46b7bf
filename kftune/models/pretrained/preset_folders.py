"""Reads backbones, preprocessors and decoding settings out of preset folders."""

from kftune.models.converters.from_keras_hub import our_backbone
from kftune.models.converters.hf_bart import BART
from kftune.models.converters.hf_bert import read_bert_backbone
from kftune.models.converters.hf_decoding import read_decoding_settings
from kftune.models.converters.hf_gpt2 import read_gpt2_backbone
from kftune.models.converters.hf_m2m100 import M2M100
from kftune.models.converters.hf_marian import MARIAN
from kftune.models.decoding_settings import DecodingSettings
from kftune.models.pretrained.preset_catalog import locate
from kftune.models.pretrained.preset_files import clear_errors, hugging_face_type
from kftune.models.pretrained.preset_readers import BACKBONE_READERS, read_backbone
from kftune.models.text_classifier_preprocessor import TextClassifierPreprocessor

BACKBONE_READERS.update(
    {
        "bart": BART.read_backbone,
        "bert": read_bert_backbone,
        "gpt2": read_gpt2_backbone,
        "m2m_100": M2M100.read_backbone,
        "marian": MARIAN.read_backbone,
    }
)


def load_backbone(preset, *, load_weights=True, dtype=None, offline=False):
    """Loads the backbone of a preset.

    GPT-2, BART, Marian and M2M100 come as `GPT2Backbone` and `TransformerBackbone` of
    kftune, other models as KerasHub's.

    Args:
        preset: `str` or `Path`, see `locate`.
        load_weights: `bool`. False gives random weights.
        dtype: `str`, dtype policy or `None` for Keras's own.
        offline: `bool`. True: what is on this machine or an error, no network.

    Returns:
        `keras_hub.models.Backbone`.

    Raises:
        FileNotFoundError: if a file is missing, or if `offline` and the preset is not
            on this machine.
        ConnectionError: if the preset could not be fetched.
        ValueError: if there is no such preset or its files are broken, or of a model
            that cannot be read.

    Example:
    ```python
    backbone = kftune.models.load_backbone("minilm_l6")
    ```
    """
    folder = locate(preset, offline=offline)
    with clear_errors(folder):
        backbone = read_backbone(folder, load_weights=load_weights, dtype=dtype)
        return our_backbone(backbone)


def load_preprocessor(preset, *, sequence_length=None, offline=False):
    """Loads the tokenizer of a preset in a preprocessor for classifiers.

    A preprocessor that kftune saved comes back as it was. Texts for other presets get
    start and end token where the tokenizer has them, but not for GPT-2 checkpoints
    from Hugging Face, and for T5 the end token alone, as these were trained.

    Args:
        preset: `str` or `Path`, see `locate`.
        sequence_length: `int` or `None`. Length of the packed rows in tokens. `None`
            keeps what was saved, or leaves it to the task.
        offline: `bool`. True: what is on this machine or an error, no network.

    Returns:
        `TextClassifierPreprocessor`.

    Raises:
        FileNotFoundError: as in `load_backbone`.
        ConnectionError: as in `load_backbone`.
        ValueError: as in `load_backbone`.

    Example:
    ```python
    rows = kftune.models.load_preprocessor("minilm_l6", sequence_length=256)
    rows.tokenize_rows(["A good film."])
    ```
    """
    return TextClassifierPreprocessor.from_preset(
        preset, sequence_length=sequence_length, offline=offline
    )


def load_decoding_settings(preset, *, offline=False):
    """Loads what a Hugging Face checkpoint says of decoding.

    Args:
        preset: `str` or `Path`, see `locate`.
        offline: `bool`. True: what is on this machine or an error, no network.

    Returns:
        `DecodingSettings`; for a KerasHub preset they state nothing.

    Raises:
        FileNotFoundError: as in `load_backbone`.
        ConnectionError: as in `load_backbone`.
        ValueError: as in `load_backbone`.
    """
    folder = locate(preset, offline=offline)
    with clear_errors(folder):
        if hugging_face_type(folder) is None:
            return DecodingSettings()
        return read_decoding_settings(folder)
