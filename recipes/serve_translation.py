"""Export a translation model, verify the export, serve it, and have texts translated.

    python recipes/serve_translation.py
    python recipes/serve_translation.py --texts "Bild lesen" --target-languages en
    python recipes/serve_translation.py --preset runs/translate/model --target-languages

Without --docker a stand-in answers, which is not TensorFlow Serving; it needs the extra
`serving`. Under --out the run writes translation/, the folder for a server, with one
version more each time, and results.json with the answers by gRPC and REST.
"""

import time
from pathlib import Path
from typing import Annotated

import kftune
from kftune.cli import option_types as types
from kftune.cli.recipe import run_recipe


def main(
    *,
    preset: str = "transformer_tiny_en_de",
    texts: list[str] = [  # noqa: B006
        "A library to read and write image files",
        "This package contains the documentation.",
    ],
    target_languages: list[str] = ["de"],  # noqa: B006
    max_length: Annotated[int, types.at_least(3)] = 64,
    num_beams: types.PositiveInt = 4,
    docker: bool = False,
    out: Path = Path("runs/serve_translation"),
):
    """Load, export, verify, serve, ask.

    Args:
        preset: encoder-decoder: a name, or a folder as translate.py writes it.
        texts: what the server is asked.
        target_languages: into which the texts are translated, each into each; none for
            a model that knows only one.
        max_length: tokens of a translation at most, for models of several languages.
        num_beams: of the search.
        docker: True serves with TensorFlow Serving in Docker, on the ports 8500 and
            8501; False with the stand-in.
        out: folder for all that is written.
    """
    settings = dict(locals())
    started = time.perf_counter()
    task = kftune.models.TransformerSeq2SeqLM.from_preset(preset)
    known = kftune.export.known_languages(task.preprocessor.tokenizer)
    if wrong := [code for code in target_languages if code not in known]:
        raise ValueError(
            f"Expected --target-languages among those of the model, {known}; none if "
            f"it knows only one. Received: {wrong}"
        )
    task.compile(sampler=kftune.decoding.BeamSearch(num_beams))
    version = kftune.export.export_saved_model(task, out / "translation")
    report = kftune.export.verify(version)
    print(report)
    if not report.ok:
        raise RuntimeError(f"Expected an export that holds. Received: {report}")

    answers = kftune.export.serve_and_ask(
        out / "translation",
        lambda client: translate(client, texts, target_languages, max_length),
        docker=docker,
    )
    for protocol, answer in answers.items():
        for language, translations in answer.items():
            for text, translation in zip(texts, translations, strict=True):
                print(f"{protocol}  {language}  {text}  ->  {translation}")
    kftune.evaluation.write_results(
        out / "results.json",
        settings=settings,
        version=int(version.name),
        server="TensorFlow Serving" if docker else "stand-in",
        checks={name: found.status for name, found in report.outcomes.items()},
        answers=answers,
        times={"all": time.perf_counter() - started},
    )
    print(f"Written to {out}: results.json, translation/")


def translate(client, texts, languages, max_length):
    """Ask for translations into each language; gives a list for each."""
    if not languages:
        return {"": client.translate(texts)}
    return {
        language: client.translate(
            texts, target_language=language, max_length=max_length
        )
        for language in languages
    }


if __name__ == "__main__":
    run_recipe(main)
