"""Chats that a small model learns in seconds: each answer names what was asked for."""

import json
import random

import keras
import keras_hub

from kftune.models import (
    GPT2Backbone,
    GPT2CausalLM,
    GPT2CausalLMPreprocessor,
    load_gpt2_tokenizer,
    train_gpt2_tokenizer,
)

_THINGS = ("tea", "rice", "soup", "fish", "cake", "milk")
_PLACES = ("home", "town", "work")


def toy_chats(number, seed):
    """Chats as lists of pairs of speaker and text."""
    rng = random.Random(seed)
    return [_chat(rng.choice(_THINGS), rng.choice(_PLACES)) for _ in range(number)]


def _chat(thing, place):
    return [
        ["U", f"I want {thing}."],
        ["S", f"Here is {thing}."],
        ["U", f"Go to {place}."],
        ["S", f"So {place} it is."],
    ]


def write_chats(path, number, seed):
    """Writes a file of chats, which a number at the beginning keeps apart."""
    rows = [
        {"turns": [["U", f"Hi {seed} {i}."], ["S", "Hello."], *chat]}
        for i, chat in enumerate(toy_chats(number, seed))
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", "utf-8")
    return path


def save_chat_preset(folder, context=64):
    """Saves a GPT-2 of random weights that knows the words."""
    keras.utils.set_random_seed(0)
    text = "\n".join(
        f"{said}\nUser: Hello.\nAssistant: Hi"
        for chat in toy_chats(200, 0)
        for _, said in chat
    )
    train_gpt2_tokenizer([text], folder / "bpe", 320)
    backbone = keras_hub.models.GPT2Backbone(320, 2, 2, 16, 32, 0.0, context)
    preprocessor = GPT2CausalLMPreprocessor(
        load_gpt2_tokenizer(folder / "bpe"), context
    )
    task = GPT2CausalLM(GPT2Backbone.from_keras_hub(backbone), preprocessor)
    task.save_to_preset(folder / "preset")
    return folder / "preset"
