"""How long greedy decoding takes, against KerasHub, transformers and CTranslate2.

    KERAS_BACKEND=jax python benchmarks/decoding.py

The same GPT-2 of 124 M random weights goes on from 8 prompts of 16 tokens, 112 tokens
each. The sides take turns, after two turns each that warm up; they must write the same
tokens. It needs torch and transformers, and CTranslate2 takes part if it is installed:
`pip install -e ".[ctranslate2]"`. A ratio of 1.80 says that the other side takes 1.80
times as long.
"""

import argparse
import importlib.util
import tempfile
from pathlib import Path

import keras_hub
import numpy as np
import torch
import transformers
from gpt2_pair import add_sizes, make_backbones
from turns import print_circumstances, print_table, time_turns

import kftune


def keras_side(task, prompts, length):
    """Returns a function that decodes with a KerasHub or kftune task."""
    task.compile(sampler="greedy")
    rows = np.zeros((len(prompts), length), "int32")
    rows[:, : prompts.shape[1]] = prompts
    mask = np.arange(length) < np.full((len(prompts), 1), prompts.shape[1])
    inputs = {"token_ids": rows, "padding_mask": mask}
    return lambda: np.array(task.generate(inputs, stop_token_ids=None)["token_ids"])


def transformers_side(folder, prompts, length):
    """Returns a function that decodes with transformers, on PyTorch."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    options = transformers.GenerationConfig(
        max_length=length, min_length=length, do_sample=False, pad_token_id=0
    )
    prompts = torch.tensor(prompts, dtype=torch.int64)
    mask = torch.ones_like(prompts)

    def run():
        with torch.no_grad():
            return model.generate(
                prompts, attention_mask=mask, generation_config=options
            ).numpy()

    return run


def ctranslate2_side(folder, prompts, length):
    """Returns a function that decodes with CTranslate2, in float32."""
    import ctranslate2

    converter = ctranslate2.converters.TransformersConverter(str(folder))
    converted = converter.convert(str(folder / "ctranslate2"))
    generator = ctranslate2.Generator(converted, compute_type="float32")
    tokens = [[token_name(i) for i in row] for row in prompts]
    # CTranslate2 counts the prompt, but not its first token.
    steps = length - 1

    def run():
        results = generator.generate_batch(tokens, max_length=steps, min_length=steps)
        return np.array([result.sequences_ids[0] for result in results])

    return run


def token_name(token_id):
    """The text of a token in a vocabulary that is needed for its size alone."""
    names = ("<|endoftext|>", "a", "b", "ab")
    return names[token_id] if token_id < len(names) else f"t{token_id}"


def save(backbone, folder):
    """Saves the model with a tokenizer, which CTranslate2 asks for."""
    vocabulary = {token_name(i): i for i in range(backbone.vocabulary_size)}
    tokenizer = keras_hub.models.GPT2Tokenizer(vocabulary, merges=["a b"])
    preprocessor = kftune.models.GPT2CausalLMPreprocessor(tokenizer)
    task = kftune.models.GPT2CausalLM(backbone, preprocessor)
    return kftune.models.save_to_hugging_face(task, folder)


def make_sides(arguments):
    """Returns the sides by name, all with the same weights."""
    ours, stock = make_backbones(arguments)
    rng = np.random.default_rng(0)
    prompts = rng.integers(1, arguments.vocabulary, (arguments.batch, arguments.prompt))
    length = arguments.prompt + arguments.new
    ours_task = kftune.models.GPT2CausalLM(ours)
    stock_task = keras_hub.models.GPT2CausalLM(stock)
    sides = {
        "kftune": keras_side(ours_task, prompts, length),
        "KerasHub": keras_side(stock_task, prompts, length),
    }
    with tempfile.TemporaryDirectory() as folder:
        saved = save(ours, Path(folder) / "gpt2")
        sides["transformers"] = transformers_side(saved, prompts, length)
        if importlib.util.find_spec("ctranslate2"):
            sides["CTranslate2"] = ctranslate2_side(saved, prompts, length)
    return sides


def main():
    """Times the sides and prints their table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompt", type=int, default=16)
    parser.add_argument("--new", type=int, default=112)
    add_sizes(parser, layers=12)
    arguments = parser.parse_args()
    print_circumstances()
    sides = make_sides(arguments)
    written = {name: run() for name, run in sides.items()}
    for name, tokens in written.items():
        share = np.mean(tokens == written["kftune"])
        print(f"{name}: {share:.1%} of the tokens are kftune's")
    seconds = time_turns(sides, arguments.turns)
    print_table(seconds, "kftune")
    for name, times in seconds.items():
        speed = arguments.batch * arguments.new / np.median(times)
        print(f"{name}: {speed:.0f} new tokens/s")


if __name__ == "__main__":
    main()
