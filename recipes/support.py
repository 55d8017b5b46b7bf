"""Answer customers in their language: translate, tell the intent, answer, translate.

    python recipes/classify_reviews.py --data banking77/train.csv.xz --text text \
        --label category --out runs/banking77
    python recipes/support.py --classifier runs/banking77 --questions questions.txt
    python recipes/support.py --chat

The first command trains the classifier of intents, on text in the first of
--languages; questions in others are translated into it. Where the classifier is not
sure enough, a question is refused: the threshold is chosen on the validation rows of
that run, and scored on its test rows and on a machine translation of them. Under --out
stand results.json, coverage.png, round_trip.*.tsv and, with --questions, answers.jsonl.
With --chat, a finished run answers lines of the standard input. It took 10 minutes on 2
cores that did other work, too; docs/support.md tells what comes out.
"""

import time
from pathlib import Path
from typing import Annotated

import datasets
import numpy as np

import kftune
from kftune.cli import option_types as types
from kftune.cli.asked_lines import asked_lines
from kftune.cli.recipe import run_recipe
from kftune.data import detect_language as detect
from kftune.error_text import first_few
from kftune.files import write_aside


def main(
    *,
    classifier: Path = Path("runs/banking77"),
    translator: str = "transformer_tiny_en_de",
    languages: list[str] = ["en", "de"],  # noqa: B006
    language: str | None = None,
    questions: str | None = None,
    answers: str | None = None,
    accuracy: types.Share = 0.95,
    test_questions: types.PositiveInt = 1000,
    max_length: Annotated[int, types.at_least(3)] = 64,
    num_beams: types.PositiveInt = 4,
    chat: bool = False,
    out: types.RunFolder = Path("runs/support"),
):
    """Load, choose a threshold, score, answer.

    Args:
        classifier: folder of a run of classify_reviews.py; its data are read again, and
            split as it split them.
        translator: encoder-decoder that knows the languages: a name or a folder.
        languages: of the customers, codes such as "de" that the translator knows, in
            both directions; the first is that of the classifier.
        language: of all questions; nothing tells it from each.
        questions: file of questions, a line each.
        answers: csv, jsonl, ... with the columns intent, language and answer; a blank
            intent is what is said where the classifier is not sure. What is missing in
            a language is translated from the first one; other intents are answered by
            their names.
        accuracy: that is wanted among the answered ones; chooses the threshold.
        test_questions: test rows at most, of the classifier's run.
        max_length: tokens of a translation at most.
        num_beams: of the search for a translation.
        chat: True answers lines of the standard input by what a finished run chose.
        out: folder for all that is written.
    """
    if chat:
        return talk(out, language)
    settings = dict(locals())
    started = time.perf_counter()
    kftune.training.use_compilation_cache()
    detect("", languages)  # a language that nobody knows ends the run now
    asked = read_questions(questions, language, languages)
    desk = open_desk(settings)
    splits = read_rows(classifier, test_questions)
    kftune.training.open_run(out, settings)

    rows = splits["validation"]
    validation = judge(desk, rows["text"], rows["label"])
    chosen = kftune.evaluation.choose_threshold(*validation, accuracy)
    print(f"Validation: {chosen}")
    desk.threshold = chosen.threshold
    curves, scores = {"validation": validation}, {}
    for name in languages:
        curves[f"test, {name}"], scores[name] = score(
            desk, splits["test"], name, languages, out
        )
        print(f"Test, {name}: {scores[name]}")
    kftune.evaluation.plot_coverage(curves, chosen.threshold, out / "coverage.png")
    if questions:
        spoken = [language or detect(line, languages) for line in asked]
        rows = [vars(made) for made in desk.answer(asked, spoken)]
        with write_aside(out / "answers.jsonl") as aside:
            datasets.Dataset.from_list(rows).to_json(aside, force_ascii=False)
        print(f"Written to {out}: answers.jsonl")
    kftune.evaluation.write_results(
        out / "results.json",
        settings=settings,
        times={"all": time.perf_counter() - started},
        validation=chosen,
        test=scores,
        rows={name: len(rows) for name, rows in splits.items()},
    )
    kftune.training.close_run(out)
    print(f"Written to {out}: results.json, coverage.png")


def read_questions(questions, language, languages):
    """The lines of a file that are not blank, and whether their language is known."""
    if language is not None and language not in languages:
        raise ValueError(f"Expected a language of {languages}. Received: {language}")
    rows = kftune.data.read(questions)["text"] if questions else ()
    return [line for line in rows if line.strip()]


def open_desk(settings, jit_compile="auto"):
    """Load the models and the answers."""
    folder = Path(settings["classifier"]) / "model"
    if not folder.is_dir():
        raise FileNotFoundError(
            f"Expected a classifier in {folder}. Received: no such folder. Train it: "
            "python recipes/classify_reviews.py --data FILE --text COLUMN --label "
            f"COLUMN --out {folder.parent}"
        )
    classifier, answers = kftune.models.load_task(folder), {}
    if settings["answers"]:
        answers = read_answers(
            settings["answers"], settings["languages"], classifier.label_names
        )
    translator = kftune.models.TransformerSeq2SeqLM.from_preset(settings["translator"])
    search = kftune.decoding.BeamSearch(settings["num_beams"])
    translator.compile(sampler=search, jit_compile=jit_compile)
    return kftune.decoding.SupportDesk(
        classifier,
        translator,
        language=settings["languages"][0],
        answers=answers,
        max_length=settings["max_length"],
    )


def read_answers(path, languages, intents):
    """Read what is said by language and intent; tell all that is wrong at once."""
    rows = kftune.data.read(path)
    columns = ["intent", "language", "answer"]
    if not set(columns) <= set(rows.column_names):
        raise ValueError(
            f"Expected the columns {columns} in {path}. Received: {rows.column_names}"
        )
    known = {language.casefold(): language for language in languages}
    answers, wrong = {}, []
    for number, row in enumerate(rows, start=1):
        intent, spoken, answer = (str(row[c] or "").strip() for c in columns)
        said = answers.setdefault(known.get(spoken.casefold(), spoken), {})
        problems = {
            f"the unknown intent {intent!r}": intent and intent not in intents,
            f"{intent!r} in {spoken!r} again": intent in said,
            "no answer": not answer,
        }
        wrong += [f"row {number}: {what}" for what, is_so in problems.items() if is_so]
        said[intent] = answer
    if wrong:
        raise ValueError(
            f"Expected in {path} an answer in each row, once in a language for an "
            f"intent, of {first_few(intents)}, or a blank one. Received: "
            f"{first_few(wrong, 20, show=str)}"
        )
    if left_out := sorted(answers.keys() - set(languages)):
        print(f"Answers in {', '.join(left_out)} are left out: not among the languages")
    return {name: said for name, said in answers.items() if name in languages}


def read_rows(folder, test_questions):
    """The validation and test rows that the run of the classifier had."""
    (run,) = kftune.training.read_runs([folder])
    if not run.results:
        raise ValueError(
            f"Expected a run that has ended in {folder}: the model there may be of an "
            "earlier run, with other rows. Received: no results.json. Let it end"
        )
    names = ("text", "label", "group", "encoding", "delimiter")
    columns = {name: run.settings[name] for name in names}
    splits = kftune.data.read_splits(
        run.settings["data"],
        run.settings["test_data"],
        seed=run.settings["split_seed"],
        **columns,
    )
    test = splits["test"]
    if test_questions < len(test):  # which may be sorted by class
        test = test.shuffle(seed=run.settings["split_seed"])
        test = test.select(range(test_questions))
    return {"validation": splits["validation"], "test": test}


def judge(desk, texts, labels):
    """How sure the classifier is of each text, and whether it is right."""
    classes, confidences = desk.classify(texts)
    return confidences, classes == np.array(labels)


def score(desk, rows, language, languages, out):
    """Score test rows in a language: translated into it, and back, if it is another."""
    texts, labels = list(rows["text"]), rows["label"]
    understood, further = texts, {}
    if language != desk.language:
        home, away = [desk.language] * len(texts), [language] * len(texts)
        asked = desk.translate(texts, home, away)
        understood = desk.translate(asked, away, home)
        told = [detect(text, languages) == language for text in asked]
        further = {
            "detected": float(np.mean(told)),
            "untranslated": float(judge(desk, asked, labels)[1].mean()),
        }
        path = out / f"round_trip.{language}.tsv"
        kftune.evaluation.write_outputs(
            path, source=asked, target=texts, understood=understood
        )
    confidences, right = judge(desk, understood, labels)
    answered = kftune.evaluation.score_answered(confidences, right, desk.threshold)
    scores = {
        "accuracy": float(right.mean()),
        "coverage": answered.coverage,
        "accuracy_of_answered": answered.accuracy,
        **further,
    }
    return (confidences, right), scores


def talk(out, language):
    """Answer what a person writes, as a run that has ended would."""
    if not (out / "results.json").exists():
        raise FileNotFoundError(
            f"Expected a run that has ended. Received: {out}, without results.json. "
            f"Make it: python recipes/support.py --classifier FOLDER --out {out}"
        )
    (run,) = kftune.training.read_runs([out])
    # One question waits for a compilation by XLA longer than it would gain.
    desk = open_desk(run.settings, kftune.training.choose_jit_compile())
    desk.threshold = run.results["validation"]["threshold"]
    for question in asked_lines("Question: "):
        spoken = language or detect(question, run.settings["languages"])
        (made,) = desk.answer([question], [spoken])
        print(f"[{made.language}: {made.understood}]")
        print(f"[{made.intent}, {made.confidence:.0%}]")
        if made.cut:
            print("[too long: its end was not read]")
        print(made.answer)


if __name__ == "__main__":
    run_recipe(main)
