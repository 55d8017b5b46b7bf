import csv
import json
import lzma
import runpy
from pathlib import Path

import h5py
import pytest
import sacrebleu
from toy_sentences import toy_sentences

from kftune.models import TransformerSeq2SeqLM
from kftune.training import read_history

ROOT = Path(__file__).parents[2]


def write_splits(folder, numbers):
    """Different sentences in each split, but two held out are to be trained on."""
    pairs = list(dict.fromkeys(toy_sentences(2000, seed=0)))
    splits = {}
    for split, number in numbers.items():
        splits[split], pairs = pairs[:number], pairs[number:]
        assert len(splits[split]) == number
    splits["train"] += [splits["test"][0], splits["val"][0]]
    for split, rows in splits.items():
        path = folder / f"en-de.{split}.tsv.xz"
        with lzma.open(path, "wt", encoding="utf-8") as file:
            file.write("".join("\t".join(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    write_splits(folder, {"train": 400, "val": 20, "test": 30})
    options = {
        "folder": folder,
        "vocabulary-size": 310,
        "num-layers": 1,
        "num-heads": 2,
        "hidden-dim": 64,
        "intermediate-dim": 128,
        "max-length": 32,
        "dropout": 0.0,
        "warmup-steps": 40,
        "max-tokens": 512,
        "max-buckets": 2,
        "epochs": 28,
        "learning-rate": 5e-3,
        "patience": 28,
        "averaged": 3,
        "scored-pairs": 10,
        "num-beams": 2,
    }
    options = [part for name, value in options.items() for part in (f"--{name}", value)]
    return "pretrain_translation.py", *options


def test_a_blank_reference_ends_it_before_training(command, tmp_path):
    recipe = runpy.run_path(str(ROOT / "recipes" / command[0]))
    write_splits(tmp_path, {"train": 20, "val": 5, "test": 5})
    with lzma.open(tmp_path / "en-de.test.tsv.xz", "at", encoding="utf-8") as file:
        file.write("a source\t\n")
    with pytest.raises(ValueError, match="blank ones at index 5"):
        recipe["read_splits"](tmp_path, [("en", "de")])
    write_splits(tmp_path, {"train": 20, "val": 5, "test": 5})
    with lzma.open(tmp_path / "en-de.val.tsv.xz", "at", encoding="utf-8") as file:
        file.write("\tder Satz\n")  # a reference of the other direction
    with pytest.raises(ValueError, match="blank ones at index 5"):
        recipe["read_splits"](tmp_path, [("en", "de")])


@pytest.fixture(scope="module")
def whole(run_recipe, command, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    run_recipe(*command, "--out", out)
    return out


def test_what_is_tested_is_not_trained_on(command):
    recipe = runpy.run_path(str(ROOT / "recipes" / command[0]))
    folder = command[command.index("--folder") + 1]
    splits = recipe["read_splits"](folder, [("en", "de")])
    rows = {name: set(pairs["en", "de"]["source"]) for name, pairs in splits.items()}
    assert {name: len(texts) for name, texts in rows.items()} == {
        "train": 400,
        "validation": 20,
        "test": 30,
    }
    assert rows["train"].isdisjoint(rows["test"] | rows["validation"])


@pytest.mark.slow
def test_both_directions_are_learnt_and_scored_beside_their_floors(whole):
    results = json.loads((whole / "results.json").read_text())
    assert results["test"].keys() == results["floors"].keys() == {"en-de", "de-en"}
    for name, scores in results["test"].items():
        path = whole / f"translations.{name}.tsv"
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        sources, references, outputs = (
            [row[key] for row in rows] for key in ("source", "target", "translation")
        )
        assert sources[0].startswith("the " if name == "en-de" else "die ")
        bleu = sacrebleu.corpus_bleu(outputs, [references]).score
        assert scores["cased"]["corpus"]["bleu"] == pytest.approx(bleu)
        floors = results["floors"][name]
        copied = sacrebleu.corpus_bleu(sources, [references]).score
        assert floors["copy_source"]["bleu"] == pytest.approx(copied)
        assert copied < floors["translation_memory"]["bleu"] < bleu
        assert bleu > 60
    history = read_history(whole)
    assert len(history["val_bleu"]) == 28
    means = [history[f"val_bleu_{name}"] for name in results["test"]]
    expected = [sum(pair) / 2 for pair in zip(*means, strict=True)]
    assert history["val_bleu"] == pytest.approx(expected)
    assert (whole / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (whole / "marian" / "model.safetensors").exists()


@pytest.mark.slow
def test_the_preset_translates_either_way(whole):
    task = TransformerSeq2SeqLM.from_preset(whole / "preset")
    task.compile(sampler="greedy")
    texts = ["the red cow finds a big owl", "die rote Kuh findet eine große Eule"]
    german = task.generate(texts[:1], max_length=32, target_language="de")
    english = task.generate(texts[1:], max_length=32, target_language="en")
    assert german[0].startswith("die ") and english[0].startswith("the ")
    sizes = []

    def add_size(name, item):
        if isinstance(item, h5py.Dataset):
            sizes.append(item.nbytes)

    with h5py.File(whole / "preset" / "model.weights.h5") as file:
        file.visititems(add_size)
    assert sum(sizes) == 2 * task.backbone.count_params()


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_as_a_whole_one(
    run_recipe, whole, command, tmp_path
):
    run_recipe(*command, "--out", tmp_path, kill_after_epoch=3)
    assert "going on after 3 epochs" in run_recipe(*command, "--out", tmp_path)
    histories = [folder / "history.csv" for folder in (whole, tmp_path)]
    assert histories[0].read_bytes() == histories[1].read_bytes()
