"""How long an exported model takes, against the live task on TensorFlow.

    python benchmarks/serving.py --texts sentences.txt

A GPT-2 classifier (`gpt2_tiny_en`, a new head) and a translator
(`transformer_tiny_en_de`, 4 beams) answer 1, 8 and 32 of the file's lines. The exports
run as the server runs them, each in a session and a process of its own: without XLA,
and one that was made with `xla=True`. The live translator runs with XLA, its default,
and without.
The sides take turns, after two turns each that warm up. A ratio of 1.30 says that the
other side takes 1.30 times as long as the live task.
"""

import argparse
import functools
import multiprocessing
import tempfile
from pathlib import Path

import numpy as np
from turns import print_circumstances, print_table, time_turns

import kftune
from kftune.export.server_session import ServerSession

BATCH_SIZES = (1, 8, 32)


def classifier():
    """Returns a classifier, and its live sides by name."""
    task = kftune.models.GPT2TextClassifier.from_preset("gpt2_tiny_en", num_classes=2)
    return task, {"live": lambda texts: task.predict(texts, verbose=0)}


def translator():
    """Returns a translator, and its live sides by name."""
    sides = {}
    for name, jit_compile in (("live", True), ("live, without XLA", False)):
        task = kftune.models.TransformerSeq2SeqLM.from_preset("transformer_tiny_en_de")
        task.compile(sampler=kftune.decoding.BeamSearch(4), jit_compile=jit_compile)
        sides[name] = _translate(task)
    return task, sides


def _translate(task):
    return lambda texts: task.generate(texts, target_language="de")


def exported(task, folder, *, xla, **options):
    """Returns a function that asks an export of the task, in another process."""
    path = kftune.export.export_saved_model(
        task, folder, warmup=False, xla=xla, **options
    )
    processes = multiprocessing.get_context("spawn")
    here, there = processes.Pipe()
    processes.Process(target=serve, args=(there, path, xla), daemon=True).start()
    here.recv()  # it has loaded the model

    def run(texts):
        here.send(texts)
        return here.recv()

    return run


def serve(pipe, path, xla):
    """Answers texts for as long as anybody asks."""
    session = ServerSession(path, xla=xla)
    pipe.send("ready")
    while True:
        texts = np.array([text.encode() for text in pipe.recv()], object)
        answer = session.run("serving_default", {"text": texts})
        pipe.send({name: values.tolist() for name, values in answer.items()})


def compare(task, sides, texts, turns, **options):
    """Prints a table for each batch size."""
    with tempfile.TemporaryDirectory() as folder:
        for name, xla in (("exported", False), ("exported, xla=True", True)):
            base_path = Path(folder, "model")
            sides[name] = exported(task, base_path, xla=xla, **options)
    for size in BATCH_SIZES:
        runs = {n: functools.partial(run, texts[:size]) for n, run in sides.items()}
        print(f"\n{type(task).__name__}, {size} texts")
        seconds = time_turns(runs, turns)
        print_table(seconds, "live")


def main():
    """Times both tasks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", required=True, type=Path, help="lines of text")
    parser.add_argument("--turns", type=int, default=7)
    arguments = parser.parse_args()
    print_circumstances()
    texts = arguments.texts.read_text("utf-8").splitlines()[: max(BATCH_SIZES)]
    compare(*classifier(), texts, arguments.turns)
    compare(*translator(), texts, arguments.turns, target_language="de")


if __name__ == "__main__":
    main()
