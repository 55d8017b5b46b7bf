"""Export a classifier, verify the export, serve it, and ask it for the class of texts.

    python recipes/classify_reviews.py       # makes the default preset
    python recipes/serve_reviews.py
    python recipes/serve_reviews.py --texts "A warm, witty film." "Lifeless."
    python recipes/serve_reviews.py --docker

Without --docker a stand-in answers, which is not TensorFlow Serving; it needs the extra
`serving`. Under --out the run writes reviews/, the folder for a server, with one
version more each time, and results.json with the answers by gRPC and REST.
"""

import time
from pathlib import Path

import kftune
from kftune.cli.recipe import run_recipe


def main(
    *,
    preset: str = "runs/classify_reviews/model",
    texts: list[str] = [  # noqa: B006
        "A warm, witty film that never puts a foot wrong.",
        "Lifeless, and two hours too long.",
    ],
    docker: bool = False,
    out: Path = Path("runs/serve_reviews"),
):
    """Load, export, verify, serve, ask.

    Args:
        preset: classifier with one head: a folder, as classify_reviews.py writes it, or
            a name.
        texts: what the server is asked.
        docker: True serves with TensorFlow Serving in Docker, on the ports 8500 and
            8501; False with the stand-in.
        out: folder for all that is written.
    """
    settings = dict(locals())
    started = time.perf_counter()
    task = kftune.models.TextClassifier.from_preset(preset)
    version = kftune.export.export_saved_model(task, out / "reviews")
    report = kftune.export.verify(version, preset=preset)
    print(report)
    if not report.ok:
        raise RuntimeError(f"Expected an export that holds. Received: {report}")

    answers = kftune.export.serve_and_ask(
        out / "reviews", lambda client: client.predict(texts), docker=docker
    )
    for protocol, answer in answers.items():
        print_classes(protocol, texts, answer)
    kftune.evaluation.write_results(
        out / "results.json",
        settings=settings,
        version=int(version.name),
        server="TensorFlow Serving" if docker else "stand-in",
        checks={name: found.status for name, found in report.outcomes.items()},
        answers={
            protocol: {name: values.tolist() for name, values in answer.items()}
            for protocol, answer in answers.items()
        },
        times={"all": time.perf_counter() - started},
    )
    print(f"Written to {out}: results.json, reviews/")


def print_classes(protocol, texts, answer):
    """Print a line a text: protocol, class, its probability, the text."""
    labels, probabilities = answer["label"], answer["probabilities"].max(axis=-1)
    for text, label, probability in zip(texts, labels, probabilities, strict=True):
        print(f"{protocol}  {label}  {probability:.3f}  {text}")


if __name__ == "__main__":
    run_recipe(main)
