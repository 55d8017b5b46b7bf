"""`kftune export`: a saved task as what a server or another runtime loads."""

from kftune.cli.beam_option import add_num_beams, compile_search
from kftune.cli.option_types import positive_int
from kftune.cli.source_language_option import add_source_language, set_source_language

# How each format is written, and of which tasks: the names in kftune.
_HAND_OFFS = {
    "ctranslate2": ("export_ctranslate2", ("GPT2CausalLM", "TransformerSeq2SeqLM")),
    "hugging_face": ("export_hugging_face", ("GPT2CausalLM", "TransformerSeq2SeqLM")),
    "onnx": ("export_onnx", ("TextClassifier",)),
}


def add_parser(commands):
    """Add the subcommand to an `argparse` subparsers object."""
    parser = commands.add_parser(
        "export",
        help="write a saved model for TF Serving or another runtime",
        description="Write a saved model for TF Serving, or hand it on to "
        "transformers, CTranslate2 or ONNX Runtime; a hand-off appears only if sample "
        "texts give there what they give here.",
    )
    add = parser.add_argument
    add("model", help="folder or name of a preset with a task")
    add("folder", help="base path of the served model; else a new or empty folder")
    add("--to", choices=["saved_model", *_HAND_OFFS], default="saved_model")
    served = parser.add_argument_group("for --to saved_model")
    add_num_beams(served)
    add_source_language(served)
    add = served.add_argument
    add(
        "--target-language", metavar="CODE", help="such as de, if the model has several"
    )
    add("--version", type=positive_int, help="default: the next one")
    add(
        "--xla",
        action="store_true",
        help="compiled by XLA: for servers that were started for it, or with a GPU",
    )
    add("--no-warmup", action="store_true", help="no requests for the server's start")
    parser.set_defaults(run=run)


def run(arguments):
    """Load and write. Returns 0."""
    is_served = arguments.to == "saved_model"
    if not is_served:
        _check_options(arguments)
    from kftune.models import load_task

    task = load_task(arguments.model)
    print(_saved_model(task, arguments) if is_served else _hand_off(task, arguments))
    return 0


def _saved_model(task, arguments):
    from kftune.export import export_saved_model
    from kftune.models import TextClassifier

    set_source_language(task, arguments.source_language)
    if not isinstance(task, TextClassifier):
        compile_search(task, arguments.num_beams)
    elif arguments.num_beams is not None:
        raise ValueError(
            "Expected --num-beams with a language model only. Received: "
            f"{arguments.num_beams} with a {type(task).__name__}"
        )
    return export_saved_model(
        task,
        arguments.folder,
        arguments.version,
        target_language=arguments.target_language,
        xla=arguments.xla,
        warmup=not arguments.no_warmup,
    )


def _hand_off(task, arguments):
    import kftune

    function, classes = _HAND_OFFS[arguments.to]
    if not isinstance(task, tuple(getattr(kftune.models, name) for name in classes)):
        raise ValueError(
            f"Expected a {' or '.join(classes)} for --to {arguments.to}. Received: a "
            f"{type(task).__name__} in {arguments.model}"
        )
    return getattr(kftune.export, function)(task, arguments.folder)


def _check_options(arguments):
    names = ("num_beams", "source_language", "target_language")
    given = [
        f"--{name.replace('_', '-')}"
        for name in (*names, "version", "xla", "no_warmup")
        if getattr(arguments, name)
    ]
    if given:
        raise ValueError(
            f"Expected {', '.join(given)} with --to saved_model only. Received: --to "
            f"{arguments.to}"
        )
