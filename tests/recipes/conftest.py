"""Recipes run as a user runs them: in a process of their own."""

import csv
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from verdict_words import BAD, GOOD

from kftune.models import (
    GPT2Backbone,
    GPT2CausalLM,
    GPT2CausalLMPreprocessor,
    load_gpt2_tokenizer,
    save_float16_preset,
    train_gpt2_tokenizer,
)

ROOT = Path(__file__).parents[2]
ROWS = 300
# An epoch is logged before it is in the checkpoint: the kill comes in between.
KILLED = """
import os, runpy, signal, sys

import keras

log = keras.callbacks.CSVLogger.on_epoch_end

def log_and_die(self, epoch, logs=None):
    log(self, epoch, logs)
    if epoch == {epoch}:
        os.kill(os.getpid(), signal.SIGKILL)

keras.callbacks.CSVLogger.on_epoch_end = log_and_die
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def pytest_collection_modifyitems(items):
    """Marks what is in this folder: pytest gives the tests of all others, too."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("recipe")


@pytest.fixture(scope="module")
def run_recipe(tmp_path_factory):
    """Runs a recipe with options, to its end or to a `kill -9` after an epoch."""
    folder = tmp_path_factory.mktemp("working_folder")
    environment = {
        **os.environ,
        "KERAS_HOME": str(folder / "keras"),
        "PYTHONPATH": str(ROOT),
        "TF_DETERMINISTIC_OPS": "1",
    }

    def run(name, *options, kill_after_epoch=None, typed=""):
        program = [ROOT / "recipes" / name]
        if kill_after_epoch is not None:
            program = ["-c", KILLED.format(epoch=kill_after_epoch), *program]
        finished = subprocess.run(
            [sys.executable, *program, *map(str, options)],
            cwd=folder,
            env=environment,
            capture_output=True,
            input=typed,
            text=True,
            timeout=600,
            check=False,
        )
        wanted = 0 if kill_after_epoch is None else -signal.SIGKILL
        assert finished.returncode == wanted, finished.stderr
        return finished.stdout

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reviews")


@pytest.fixture(scope="module")
def reviews(folder):
    """A csv file in which one word of each text tells its label."""
    rng = random.Random(0)
    path = folder / "reviews.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "verdict"])
        for i in range(ROWS):
            words = rng.choice([GOOD, BAD])
            filler = " and so it goes" * rng.randint(0, 4)
            text = f"Film {i} is {rng.choice(words)}{filler}."
            writer.writerow([text, "fresh" if words is GOOD else "rotten"])
    return path


@pytest.fixture(scope="module")
def preset(folder, reviews, make_backbone):
    """A random GPT-2 of two layers in a preset folder."""
    keras.utils.set_random_seed(0)
    sizes = {"vocabulary_size": 400, "hidden_dim": 16, "intermediate_dim": 32}
    backbone = make_backbone("GPT2", max_sequence_length=40, **sizes)
    train_gpt2_tokenizer([reviews.read_text()], folder / "bpe", 400)
    preprocessor = GPT2CausalLMPreprocessor(load_gpt2_tokenizer(folder / "bpe"), 40)
    task = GPT2CausalLM(GPT2Backbone.from_keras_hub(backbone), preprocessor)
    return save_float16_preset(task, folder / "preset", dropout=0.0)
