"""How long a training step of GPT-2 takes, and how much memory, against others.

    KERAS_BACKEND=jax python benchmarks/train_step.py
    KERAS_BACKEND=jax python benchmarks/train_step.py --policy all_but_last:1

The same GPT-2 of 82 M random weights (6 blocks, width 768) learns the next token of 8
rows of 128 tokens with Adam, all weights trained or as `--policy` freezes them, dropout
off: on kftune and KerasHub, compiled as each task compiles itself, and on transformers,
PyTorch. The memory of what a step computes, beside weights, optimizer and batch, is
what XLA plans (JAX) and what PyTorch allocated at most. The sides take turns, after two
turns each that warm up. A ratio of 1.15 says that a side takes 1.15 times as long.
"""

import argparse
import json
import tempfile
from pathlib import Path

import keras
import keras_hub
import numpy as np
import torch
import transformers
from gpt2_pair import add_sizes, make_backbones
from turns import print_circumstances, print_table, time_turns

import kftune


def make_batch(rows):
    """Returns features, labels and weights of rows of token ids."""
    x = {"token_ids": rows[:, :-1], "padding_mask": np.ones_like(rows[:, :-1])}
    return x, rows[:, 1:], np.ones(rows[:, 1:].shape, "float32")


def make_side(task, batch, policy):
    """Returns a function that trains one step and waits for its loss."""
    task.compile(keras.optimizers.Adam(1e-5), jit_compile="auto")
    kftune.tuning.freeze(task, policy)
    return lambda: float(task.train_on_batch(*batch)[0])


def make_torch_side(task, batch):
    """Returns a function that trains a step as `make_side` does, on transformers."""
    with tempfile.TemporaryDirectory() as folder:
        kftune.models.save_to_hugging_face(task, Path(folder) / "gpt2")
        model = transformers.GPT2LMHeadModel.from_pretrained(Path(folder) / "gpt2")
    copy_frozen(task, model.train())
    adam = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), 1e-5)
    token_ids = torch.tensor(batch[0]["token_ids"], dtype=torch.int64)
    labels = torch.tensor(batch[1], dtype=torch.int64).reshape(-1)

    def step():
        logits = model(token_ids, use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels)
        loss.backward()
        adam.step()
        adam.zero_grad()
        return loss.item()

    return step


def copy_frozen(task, model):
    """Freezes in a model of transformers what is frozen in a task, block by block."""
    backbone, theirs = task.backbone, model.transformer
    ours = [backbone.token_embedding, backbone.position_embedding, backbone.layer_norm]
    modules = [theirs.wte, theirs.wpe, theirs.ln_f, *theirs.h]
    layers = [*ours, *backbone.transformer_layers]
    for layer, module in zip(layers, modules, strict=True):
        module.requires_grad_(bool(layer.trainable_variables))
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    expected = sum(np.prod(v.shape) for v in task.trainable_variables)
    if count != expected:
        raise ValueError(f"Expected {expected} trained weights. Received: {count}")


def allocated_megabytes(step):
    """Returns the most memory that PyTorch allocates in a step, beside what it had."""
    with torch.profiler.profile(profile_memory=True) as profile:
        step()
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        profile.export_chrome_trace(file.name)
        events = json.loads(Path(file.name).read_text(encoding="utf-8"))["traceEvents"]
    total = [e["args"]["Total Allocated"] for e in events if e["name"] == "[memory]"]
    return (max(total) - total[-1]) / 1e6


def planned_megabytes(task, batch):
    """Returns the memory that XLA plans for what a step of a trained task computes."""
    import jax

    state = [
        [variable.value for variable in variables]
        for variables in (
            task.trainable_variables,
            task.non_trainable_variables,
            task.optimizer.variables,
            task.metrics_variables,
        )
    ]
    step = jax.jit(task.train_step).lower(tuple(state), batch).compile()
    return step.memory_analysis().temp_size_in_bytes / 1e6


def main():
    """Times both sides and prints their table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--policy", default="nothing", help="of kftune.tuning.freeze")
    add_sizes(parser, layers=6)
    arguments = parser.parse_args()
    print_circumstances()
    ours, stock = make_backbones(arguments)
    shape = (arguments.batch, arguments.length + 1)
    rows = np.random.default_rng(0).integers(0, arguments.vocabulary, shape)
    batch = make_batch(rows.astype("int32"))
    tasks = {
        "kftune": kftune.models.GPT2CausalLM(ours),
        "KerasHub": keras_hub.models.GPT2CausalLM(stock),
    }
    sides = {
        name: make_side(task, batch, arguments.policy) for name, task in tasks.items()
    }
    sides["transformers"] = make_torch_side(tasks["kftune"], batch)
    for name, run in sides.items():
        print(f"{name}: loss of the first step {run():.4f}", flush=True)
        if keras.backend.backend() == "jax" and name in tasks:
            print(f"{name}: {planned_megabytes(tasks[name], batch):.0f} MB", flush=True)
    megabytes = allocated_megabytes(sides["transformers"])
    print(f"transformers: {megabytes:.0f} MB", flush=True)
    print_table(time_turns(sides, arguments.turns), "kftune")


if __name__ == "__main__":
    main()
