import csv
import io
import json
import random
import runpy
import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from toy_chats import save_chat_preset
from toy_pairs import save_tiny_preset

from kftune.cli import recipe
from kftune.data import detect_language, read_splits
from kftune.evaluation import choose_threshold, score_answered
from kftune.models import load_task

pytestmark = [pytest.mark.backend, pytest.mark.long]

RECIPES = Path(__file__).parents[2] / "recipes"
WORDS = {"tea_order": ("tea", "cup"), "fish_lost": ("fish", "bone")}


@pytest.fixture(scope="module")
def run():
    """Runs a recipe in this process."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("kftune.training.use_compilation_cache", lambda: None)

        def run(name, **options):
            main = runpy.run_path(str(RECIPES / name))["main"]
            argv = [part for o, v in options.items() for part in (f"--{o}", str(v))]
            recipe.run_recipe(main, argv)

        yield run


@pytest.fixture(scope="module")
def options(run, tmp_path_factory):
    """A classifier that has learnt two intents, and a translator of random weights."""
    folder = tmp_path_factory.mktemp("support")
    rng = random.Random(0)
    path = folder / "questions.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "queue"])
        for i in range(200):
            intent = rng.choice([*WORDS])
            # One in ten is of no intent, and can only be guessed.
            word = "it" if rng.random() < 0.1 else rng.choice(WORDS[intent])
            writer.writerow([f"Where is {word} {i}?", intent])
    run(
        "classify_reviews.py",
        preset=save_chat_preset(folder),
        data=path,
        text="question",
        label="queue",
        learning_rate=1e-2,
        epochs=5,
        out=folder / "classifier",
    )
    save_tiny_preset(folder / "translator", languages=["de", "en"])
    (folder / "questions.txt").write_text("Where is the tea?\n\nWo ist der Tee?\n")
    (folder / "answers.csv").write_text(
        "intent,language,answer\ntea_order,en,Here it is.\n,de,Wie bitte?\n"
    )
    return {
        "classifier": folder / "classifier",
        "translator": folder / "translator",
        "questions": folder / "questions.txt",
        "answers": folder / "answers.csv",
        "accuracy": 0.9,
        "max_length": 12,
        "num_beams": 1,
    }


@pytest.fixture(scope="module")
def out(run, options, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    run("support.py", **options, out=out)
    return out


@pytest.fixture(scope="module")
def results(out):
    return json.loads((out / "results.json").read_text())


@pytest.fixture(scope="module")
def judge(options):
    """Gives confidences of texts, and which are right, by another way than ours."""
    task = load_task(options["classifier"] / "model")

    def judge(texts, labels):
        logits = task.predict(texts, verbose=0).astype("float64")
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return shares.max(axis=1), logits.argmax(axis=1) == labels

    return judge


@pytest.fixture(scope="module")
def splits(options):
    data = options["classifier"].parent / "questions.csv"
    return read_splits(data, text="question", label="queue")


def test_the_threshold_is_chosen_on_validation_rows(results, splits, judge):
    rows = splits["validation"]
    chosen = choose_threshold(*judge(list(rows["text"]), rows["label"]), 0.9)
    assert results["validation"] == pytest.approx(vars(chosen), rel=1e-4)
    assert results["rows"] == {"validation": 20, "test": 20}


def test_each_language_is_scored_on_test_rows(out, results, splits, judge):
    rows, threshold = splits["test"], results["validation"]["threshold"]
    with (out / "round_trip.de.tsv").open(newline="") as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    german, english, back = (
        [row[name] for row in table] for name in ("source", "target", "understood")
    )
    assert english == list(rows["text"])
    for language, texts in (("en", english), ("de", back)):
        confidences, right = judge(texts, rows["label"])
        answered = score_answered(confidences, right, threshold)
        scores = results["test"][language]
        assert scores["accuracy"] == right.mean()
        assert scores["coverage"] == answered.coverage
        expected = pytest.approx(answered.accuracy, nan_ok=True)
        assert (scores["accuracy_of_answered"] or np.nan) == expected
    assert results["test"]["en"]["accuracy"] >= 0.7
    told = [detect_language(text, ["en", "de"]) == "de" for text in german]
    assert results["test"]["de"]["detected"] == np.mean(told)
    untranslated = judge(german, rows["label"])[1].mean()
    assert results["test"]["de"]["untranslated"] == untranslated
    assert (out / "coverage.png").read_bytes().startswith(b"\x89PNG")


def test_questions_of_a_file_are_answered(out, results):
    lines = (out / "answers.jsonl").read_text().splitlines()
    english, german = map(json.loads, lines)
    assert english["question"] == english["understood"] == "Where is the tea?"
    assert (english["language"], german["language"]) == ("en", "de")
    threshold = results["validation"]["threshold"]
    for row in (english, german):
        assert row["answered"] == (row["confidence"] >= threshold)
    assert english["intent"] == "tea_order" and english["answered"]
    assert english["answer"] == "Here it is."
    assert german["answered"] or german["answer"] == "Wie bitte?"
    assert german["question"] == "Wo ist der Tee?" != german["understood"]


def test_a_run_that_ended_answers_what_is_typed(run, out, judge, monkeypatch, capsys):
    stdin = types.SimpleNamespace(
        buffer=io.BytesIO(b"Where is the tea?\nWhere is fish 3?\n\nNo.\n"),
        isatty=lambda: False,
    )
    monkeypatch.setattr(sys, "stdin", stdin)
    run("support.py", chat="true", language="en", out=out)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "[en: Where is the tea?]"
    assert lines[1].startswith("[tea_order, ") and lines[2] == "Here it is."
    confidence = judge(["Where is fish 3?"], 0)[0][0]
    chosen = json.loads((out / "results.json").read_text())["validation"]
    is_sure = confidence >= chosen["threshold"]
    sure, unsure = "Your question is about: fish lost.", "I am not sure what you mean."
    assert lines[4] == f"[fish_lost, {confidence:.0%}]"
    assert lines[5] == (sure if is_sure else unsure)
    assert len(lines) == 6


@pytest.fixture
def read_answers(tmp_path):
    """Reads answers in English, German and Brazilian Portuguese to two intents."""
    read = runpy.run_path(str(RECIPES / "support.py"))["read_answers"]

    def read_lines(*lines):
        path = tmp_path / "answers.csv"
        path.write_text("\n".join(lines))
        return read(path, ["en", "de", "pt_BR"], [*WORDS])

    return read_lines


def test_answers_go_by_language_however_it_is_written(read_answers, capsys):
    lines = ["tea_order,EN,Here.", " ,en ,What?", "tea_order, pt_br,Sim.", ",DE,Wie?"]
    lines += [",ge,Wie?", ",fr,Comment ?"]
    assert read_answers("intent,language,answer", *lines) == {
        "en": {"tea_order": "Here.", "": "What?"},
        "pt_BR": {"tea_order": "Sim."},
        "de": {"": "Wie?"},
    }
    told = "Answers in fr, ge are left out: not among the languages\n"
    assert capsys.readouterr().out == told


def test_all_that_is_wrong_with_answers_is_told_at_once(read_answers):
    with pytest.raises(ValueError, match=r"the columns \['intent', .*: \['Intent', "):
        read_answers("Intent,language,answer", "tea_order,en,Here.")
    lines = [
        "tea_order,en,Here.",
        "tea,ge,Da.",
        "tea_order,EN,There.",
        "fish_lost,de, ",
    ]
    with pytest.raises(ValueError, match="'tea_order', 'fish_lost'") as error:
        read_answers("intent,language,answer", *lines)
    assert str(error.value).endswith(
        "Received: row 2: the unknown intent 'tea', row 3: 'tea_order' in 'EN' again, "
        "row 4: no answer"
    )


def test_some_test_rows_are_of_all(options):
    read_rows = runpy.run_path(str(RECIPES / "support.py"))["read_rows"]
    everything = read_rows(options["classifier"], 1000)["test"]["text"][:]
    some = read_rows(options["classifier"], 15)["test"]["text"][:]
    assert len(some) == 15 and set(some) < set(everything)
    assert some != everything[:15]
    assert some == read_rows(options["classifier"], 15)["test"]["text"][:]


def test_what_is_missing_is_told(run, options, out, tmp_path):
    message = "Train it: python recipes/classify_reviews.py .* --out .*none"
    with pytest.raises(FileNotFoundError, match=message):
        run("support.py", classifier=tmp_path / "none", out=tmp_path)
    stopped = tmp_path / "stopped"
    shutil.copytree(options["classifier"], stopped)
    (stopped / "results.json").unlink()
    with pytest.raises(ValueError, match="may be of an earlier run.*no results.json"):
        run("support.py", **{**options, "classifier": stopped}, out=tmp_path)
    message = "without results.json. Make it: python recipes/support.py"
    with pytest.raises(FileNotFoundError, match=message):
        run("support.py", chat="true", out=tmp_path)
