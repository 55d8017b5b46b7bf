import csv
import json
import runpy
from pathlib import Path

import pytest
import sacrebleu
import transformers
from toy_pairs import write_pairs

from kftune.cli.recipe import run_recipe as run_recipe_here
from kftune.models import TransformerSeq2SeqLM
from kftune.training import read_history

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    options = {
        "train": write_pairs(folder, "train", 400, 1),
        "validation": write_pairs(folder, "val", 20, 2),
        "test": write_pairs(folder, "test", 30, 3),
        "vocabulary-size": 300,
        "num-layers": 1,
        "num-heads": 2,
        "hidden-dim": 64,
        "intermediate-dim": 128,
        "max-length": 32,
        "dropout": 0.0,
        "learning-rate": 5e-3,
        "warmup-steps": 40,
        "max-tokens": 512,
        "epochs": 10,
        "averaged": 2,
        "num-beams": 2,
    }
    options = [part for name, value in options.items() for part in (f"--{name}", value)]
    return "translate.py", *options


@pytest.fixture(scope="module")
def whole(run_recipe, command, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    run_recipe(*command, "--out", out)
    return out


@pytest.mark.long
def test_pairs_become_a_scored_model_that_others_load(whole):
    with (whole / "translations.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    outputs, references = (
        [row[name] for row in rows] for name in ("translation", "target")
    )
    scores = json.loads((whole / "results.json").read_text())["test"]
    expected = sacrebleu.corpus_bleu(outputs, [references]).score
    assert scores["cased"]["corpus"]["bleu"] == pytest.approx(expected)
    assert expected > 50
    assert "case:lc" in scores["lower_cased"]["signatures"]["bleu"]
    assert len(read_history(whole)["val_bleu"]) == 10
    assert (whole / "curves.png").read_bytes().startswith(b"\x89PNG")

    task = TransformerSeq2SeqLM.from_preset(whole / "model")
    task.compile(sampler="greedy")
    text = "the red cow finds a big owl"
    (output,) = task.generate([text], max_length=32)
    theirs = transformers.AutoModelForSeq2SeqLM.from_pretrained(whole / "marian").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(whole / "marian")
    ids = theirs.generate(
        **tokenizer([text], return_tensors="pt"), max_length=32, num_beams=1
    )
    assert tokenizer.batch_decode(ids, skip_special_tokens=True) == [output]


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_as_a_whole_one(
    run_recipe, whole, command, tmp_path
):
    run_recipe(*command, "--out", tmp_path, kill_after_epoch=3)
    assert "going on after 3 epochs" in run_recipe(*command, "--out", tmp_path)
    histories = [folder / "history.csv" for folder in (whole, tmp_path)]
    assert histories[0].read_bytes() == histories[1].read_bytes()


def test_a_blank_reference_ends_it_before_training(command, tmp_path, monkeypatch):
    test = write_pairs(tmp_path, "blank", 3, 4)
    target = Path(test.split("+")[1])
    lines = target.read_text("utf-8").splitlines()
    target.write_text("\n".join([lines[0], "", lines[2]]) + "\n", "utf-8")
    argv = [*map(str, [*command[1:], "--test", test, "--out", tmp_path / "out"])]
    main = runpy.run_path(str(ROOT / "recipes/translate.py"))["main"]
    monkeypatch.setattr("kftune.training.use_compilation_cache", lambda: None)
    with pytest.raises(ValueError, match="blank ones at index 1"):
        run_recipe_here(main, argv)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_one_table_is_enough(run_recipe, command, tmp_path):
    sides = [
        Path(name).read_text("utf-8").splitlines() for name in command[2].split("+")
    ]
    rows = ["source\ttarget", *map("\t".join, zip(*sides, strict=True))]
    (tmp_path / "pairs.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    options = [*command[7:], "--epochs", 1, "--averaged", 1]
    out = tmp_path / "out"
    run_recipe(
        "translate.py", "--train", tmp_path / "pairs.tsv", *options, "--out", out
    )
    with (out / "translations.tsv").open(newline="") as file:
        tested = [row["source"] for row in csv.DictReader(file, delimiter="\t")]
    results = json.loads((out / "results.json").read_text())
    assert len(set(sides[0])) * 0.08 <= len(tested) <= len(set(sides[0])) * 0.12
    assert set(tested) <= set(sides[0])
    assert results["test"]["cased"]["corpus"]["bleu"] >= 0
