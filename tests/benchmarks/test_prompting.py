import csv
import json
import runpy
from pathlib import Path

import pytest

import kftune

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.backend


@pytest.mark.long
def test_a_template_is_chosen_and_scored(run, tmp_path):
    with (tmp_path / "reviews.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for i in range(60):
            words, label = [("fine", "fresh"), ("dull", "rotten")][i % 2]
            writer.writerow([f"Film {i} is {words}.", label])
    options = {
        "--data": tmp_path / "reviews.csv",
        "--validation-rows": 2,
        "--out": tmp_path / "out",
    }
    given = [str(part) for pair in options.items() for part in pair]
    run("prompting.py", *given, "--shots", "0", "1")
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    found = results["prompting"]
    assert list(found) == ["0 examples a class", "1 examples a class"]
    for scores in found.values():
        validation = scores["validation"]
        assert validation[scores["template"]] == max(validation.values())
        assert 0 <= scores["test"]["calibrated"] <= 1

    # The chosen one again, straight from the library.
    task = kftune.models.GPT2CausalLM.from_preset("gpt2_tiny_en")
    rows = kftune.data.encode_labels(kftune.data.read(tmp_path / "reviews.csv"))
    test = kftune.data.split(rows, validation=0.1, test=0.1, seed=0)["test"]
    scores = found["0 examples a class"]
    templates = runpy.run_path(str(BENCHMARKS / "prompting.py"))["REVIEWS"]
    answers = templates[scores["template"]]
    classifier = kftune.evaluation.PromptedClassifier(
        task, scores["template"], answers, content_free=()
    )
    right = classifier.predict(test["text"]).argmax(axis=-1) == test["label"][:]
    assert right.mean() == pytest.approx(scores["test"]["not calibrated"])


@pytest.mark.long
def test_names_of_classes_answer_templates_of_ones_own(run, tmp_path):
    with (tmp_path / "questions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "intent"])
        for i in range(60):
            writer.writerow([f"Question {i}?", ["lost_card", "new_pin"][i % 2]])
    template = "{text} It is about"
    columns = ["--text", "question", "--label", "intent"]
    given = ["--data", tmp_path / "questions.csv", *columns, "--templates", template]
    limits = ["--validation-rows", "2", "--shots", "0", "--test-rows", "4"]
    given += [*limits, "--out", tmp_path / "out"]
    run("prompting.py", *map(str, given))
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    (found,) = results["prompting"].values()
    assert found["template"] == template

    task = kftune.models.GPT2CausalLM.from_preset("gpt2_tiny_en")
    columns = {"text": "question", "label": "intent"}
    splits = kftune.data.read_splits(tmp_path / "questions.csv", **columns)
    classifier = kftune.evaluation.PromptedClassifier(
        task, template, [" lost card", " new pin"], per_token=True
    )
    test = splits["test"].shuffle(seed=0)[:4]
    right = classifier.predict(test["text"]).argmax(axis=-1) == test["label"]
    assert right.mean() == pytest.approx(found["test"]["calibrated"])


def test_templates_for_films_are_not_taken_for_other_classes(tmp_path):
    rows = [f"It is {i},{['negative', 'positive'][i % 2]}" for i in range(60)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows]))
    main = runpy.run_path(str(BENCHMARKS / "prompting.py"))["main"]
    with pytest.raises(ValueError, match=r"Expected templates.*\['negative', 'posi"):
        main(data=str(tmp_path / "rows.csv"), out=tmp_path / "out")
