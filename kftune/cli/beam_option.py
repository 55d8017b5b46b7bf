"""The option --num-beams of commands that generate."""

from kftune.cli.option_types import positive_int

_DEFAULT_BEAMS = 5


def add_num_beams(parser):
    """Add the option to an `argparse` parser."""
    parser.add_argument(
        "--num-beams",
        type=positive_int,
        help="1 for greedy search; default: the model's, or "
        f"{_DEFAULT_BEAMS} for an encoder-decoder",
    )


def compile_search(task, num_beams=None):
    """Compile a language model with a beam search as the model and the option want it.

    Args:
        task: `GPT2CausalLM`, which is left as it is without the option, or
            `TransformerSeq2SeqLM`.
        num_beams: `int`, or `None` if the option was not given.

    Raises:
        ValueError: if the model's decoding settings want to sample, or do not fit.
    """
    from kftune.decoding import BeamSearch

    settings = getattr(task, "decoding_settings", None)
    if settings is not None:
        beams = num_beams or settings.num_beams or _DEFAULT_BEAMS
        task.compile(sampler=BeamSearch.from_settings(settings, num_beams=beams))
    elif num_beams is not None:
        task.compile(sampler=BeamSearch(num_beams))
