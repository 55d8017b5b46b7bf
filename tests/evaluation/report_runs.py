"""Folders of runs as recipes leave them, in miniature."""

import csv
import json

from kftune.evaluation import plot_confusion, score_translations

SCRIPT = "<script>alert('&\"')</script>"
PAIRS = [
    (f"The {word} dog runs.", f"Der {word} Hund rennt durch Wald.", f"Der {word} Hund.")
    for word in ("red", "old", "big", "wet", "fat", "shy", "odd", "sly", "hot", "icy")
] + [("All is well.", "Alles ist gut.", "Alles ist gut.")] * 2


def write_classifier(folder, *, freeze="nothing", accuracy=0.75, **results):
    """A classifier that was trained for two epochs and tested on 200 rows."""
    folder.mkdir(parents=True)
    settings = {"data": SCRIPT, "epochs": 2, "freeze": freeze, "learning_rate": 5e-4}
    frozen = 0 if freeze == "nothing" else 1500
    block = {"name": "block_0", "trainable_params": 1500 - frozen}
    whole = {
        "settings": settings,
        "test": {"accuracy": accuracy, "macro_f1": 0.7},
        "baselines": {"majority": {"accuracy": 0.5}},
        "data": {"rows": {"train": 800, "test": 200}, "shared": {}},
        "freezing": {
            "policy": freeze,
            "trainable_params": 1520 - frozen,
            "frozen_params": frozen,
            "optimizer_bytes": 2**21,
            "blocks": [{**block, "frozen_params": frozen}],
        },
        "times": {"fit": 12345.6},
        "finished": "2026-01-02T03:04:05+00:00",
        **results,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "results.json").write_text(json.dumps(whole))
    (folder / "history.csv").write_text(
        "epoch,accuracy,learning_rate,loss,val_accuracy,val_loss\n"
        "0,0.5,0.001,0.9,0.6,0.8\n1,0.7,0.001,0.4,0.75,0.7\n"
    )
    plot_confusion([[80, 20], [30, 70]], ["good", "bad"], folder / "confusion.png")
    return folder


def write_translator(folder, part=""):
    """A translation model, scored on twelve pairs; of a direction, if named."""
    folder.mkdir(parents=True)
    _, targets, outputs = zip(*PAIRS, strict=True)
    scores = {
        name: vars(score_translations(outputs, targets, lowercase=name != "cased"))
        for name in ("cased", "lower_cased")
    }
    scores = {name: {"corpus": score["corpus"]} for name, score in scores.items()}
    results = {"settings": {"seed": 0}, "test": {part: scores} if part else scores}
    (folder / "results.json").write_text(json.dumps(results))
    name = f"translations.{part}.tsv" if part else "translations.tsv"
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerows([("source", "target", "translation"), *PAIRS])
    return folder
