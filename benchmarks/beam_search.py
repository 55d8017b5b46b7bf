"""How long beam search takes, against KerasHub, transformers and CTranslate2.

    python benchmarks/beam_search.py --model runs/en-de/marian --pairs test.en+test.de

A Marian model translates sources in batches of sentences of like length, every side the
same batches and the same number of steps: no row may end early. KerasHub has no Marian;
its `BartSeq2SeqLM` of the same shape, random weights, searches with `BeamSampler`. The
sides take turns, after two turns each that warm up. It needs torch and transformers,
and CTranslate2 takes part if it is installed: `pip install -e ".[ctranslate2]"`. A
ratio of 1.80 says that the other side takes 1.80 times as long.
"""

import argparse
import importlib.util
import tempfile
from pathlib import Path

import keras_hub
import numpy as np
import torch
import transformers
from turns import print_circumstances, print_table, time_turns

import kftune

ROUND_TO = 8


def make_batches(task, sentences, size):
    """Returns pairs of token ids, `int32 (B, S)`, and mask; sentences by length."""
    rows = sorted(task.preprocessor.tokenize_rows(sentences, "source"), key=len)
    rows += rows[-1:] * (-len(rows) % size)
    batches = []
    for first in range(0, len(rows), size):
        part = rows[first : first + size]
        longest = -(-max(map(len, part)) // ROUND_TO) * ROUND_TO
        mask = np.array([np.arange(longest) < len(row) for row in part])
        token_ids = np.full(mask.shape, task.preprocessor.tokenizer.pad_token_id)
        token_ids[mask] = np.concatenate(part)
        batches.append((token_ids.astype("int32"), mask))
    return batches


def keras_side(task, sampler, batches, start, length):
    """Returns a function that translates with a KerasHub or kftune task."""
    task.compile(sampler=sampler)

    def translate(token_ids, mask):
        shape = (len(token_ids), length)
        inputs = {
            "encoder_token_ids": token_ids,
            "encoder_padding_mask": mask,
            "decoder_token_ids": np.full(shape, start, "int32"),
            "decoder_padding_mask": np.broadcast_to(np.arange(length) < 1, shape),
        }
        outputs = task.generate(inputs, stop_token_ids=None)
        return np.array(outputs["decoder_token_ids"])[:, 1:]

    return lambda: np.concatenate([translate(*batch) for batch in batches])


def kftune_side(task, arguments, batches, start):
    """Returns a function that translates with kftune."""
    end = task.preprocessor.tokenizer.end_token_id
    banned = [
        *(task.decoding_settings.bad_words_ids or []),
        [end],
    ]  # as a least length does
    sampler = kftune.decoding.BeamSearch(arguments.beams, bad_words_ids=banned)
    tokens_alone = kftune.models.TransformerSeq2SeqLM(task.backbone)
    return keras_side(tokens_alone, sampler, batches, start, arguments.length)


def keras_hub_side(backbone, arguments, batches, start):
    """Returns a function that translates with a BART of the same shape."""
    bart = keras_hub.models.BartBackbone(
        vocabulary_size=backbone.vocabulary_size,
        num_layers=backbone.num_layers,
        num_heads=backbone.num_heads,
        hidden_dim=backbone.hidden_dim,
        intermediate_dim=backbone.intermediate_dim,
        max_sequence_length=backbone.max_sequence_length,
    )
    task = keras_hub.models.BartSeq2SeqLM(bart)
    sampler = keras_hub.samplers.BeamSampler(arguments.beams)
    return keras_side(task, sampler, batches, start, arguments.length)


def transformers_side(folder, arguments, batches):
    """Returns a function that translates with transformers, on PyTorch."""
    model = transformers.MarianMTModel.from_pretrained(folder).eval()
    options = {
        "num_beams": arguments.beams,
        "max_length": arguments.length,
        "min_length": arguments.length,
        "forced_eos_token_id": None,
    }

    def translate(token_ids, mask):
        with torch.no_grad():
            return model.generate(
                torch.tensor(token_ids, dtype=torch.int64),
                attention_mask=torch.tensor(mask, dtype=torch.int64),
                **options,
            ).numpy()[:, 1:]

    return lambda: np.concatenate([translate(*batch) for batch in batches])


def ctranslate2_side(task, arguments, batches):
    """Returns a function that translates with CTranslate2, in float32."""
    import ctranslate2

    with tempfile.TemporaryDirectory() as converted:
        kftune.export.export_ctranslate2(task, converted)
        translator = ctranslate2.Translator(converted, compute_type="float32")
    tokenizer = task.preprocessor.tokenizer
    texts = [
        [
            [tokenizer.id_to_token(i) for i in row[real]]
            for row, real in zip(*batch, strict=True)
        ]
        for batch in batches
    ]
    steps = arguments.length - 1

    def translate(rows):
        results = translator.translate_batch(
            rows,
            beam_size=arguments.beams,
            max_decoding_length=steps,
            min_decoding_length=steps,
        )
        return [[tokenizer.token_to_id(t) for t in r.hypotheses[0]] for r in results]

    return lambda: np.concatenate([translate(rows) for rows in texts])


def make_sides(arguments):
    """Returns the sides by name; all but KerasHub have the same weights."""
    task = kftune.models.TransformerSeq2SeqLM.from_preset(arguments.model)
    sentences = kftune.data.read(arguments.pairs)["source"][: arguments.sentences]
    batches = make_batches(task, sentences, arguments.batch)
    print(f"{len(sentences)} sentences in {len(batches)} batches of {arguments.batch}")
    start = task.preprocessor.tokenizer.pad_token_id
    sides = {
        "kftune": kftune_side(task, arguments, batches, start),
        "KerasHub": keras_hub_side(task.backbone, arguments, batches, start),
        "transformers": transformers_side(arguments.model, arguments, batches),
    }
    if importlib.util.find_spec("ctranslate2"):
        sides["CTranslate2"] = ctranslate2_side(task, arguments, batches)
    return sides


def main():
    """Times the sides and prints their table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--pairs", required=True)
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--beams", type=int, default=5)
    parser.add_argument("--length", type=int, default=32)
    parser.add_argument("--turns", type=int, default=7)
    arguments = parser.parse_args()
    print_circumstances()
    sides = make_sides(arguments)
    written = {name: run() for name, run in sides.items()}
    for name, tokens in written.items():
        same = np.mean(np.all(tokens == written["kftune"], axis=1))
        print(f"{name}: {same:.1%} of the translations are kftune's", flush=True)
    seconds = time_turns(sides, arguments.turns)
    print_table(seconds, "kftune")
    for name, times in seconds.items():
        speed = len(written[name]) / np.median(times)
        print(f"{name}: {speed:.1f} sentences/s")


if __name__ == "__main__":
    main()
