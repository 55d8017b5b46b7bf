"""`kftune translate`: a file of texts into a file of translations."""

import argparse
import itertools
import sys

from kftune.cli.beam_option import add_num_beams, compile_search
from kftune.cli.line_output import (
    WHOLE,
    on_one_line,
    open_output,
    warn_of_lines,
    warn_of_undecoded,
)
from kftune.cli.option_types import positive_int
from kftune.cli.source_language_option import add_source_language, set_source_language

_LINES_AT_ONCE = 10_000


def add_parser(commands):
    """Add the subcommand to an `argparse` subparsers object."""
    parser = commands.add_parser(
        "translate",
        help="translate files, a line each",
        description="Translate files, or the standard input, line by line. Blank lines "
        "stay blank, and lines keep their order.",
    )
    add = parser.add_argument
    add("files", nargs="*", help="UTF-8 text; .gz and .xz are unpacked")
    add("--model", required=True, help="folder or name of an encoder-decoder")
    add("--output", metavar="FILE", help=WHOLE)
    add_num_beams(parser)
    add(
        "--n-best",
        type=positive_int,
        metavar="N",
        help="N lines for each line: its number from 1, score and text, between tabs",
    )
    add(
        "--batch-tokens",
        type=positive_int,
        default=2048,
        help="of the sources of a batch",
    )
    add("--max-length", type=positive_int, help="tokens of a translation at most")
    add_source_language(parser)
    add(
        "--target-language", metavar="CODE", help="such as de, if the model has several"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace):
    """Translate. Returns 0."""
    from kftune.cli.input_lines import InputLines

    lines, cut = InputLines(arguments.files), []
    numbered = enumerate(lines, start=1)
    with open_output(arguments.output) as output:
        task = _load(arguments)
        while chunk := list(itertools.islice(numbered, _LINES_AT_ONCE)):
            for line in _translated(task, chunk, cut, arguments):
                output.write(line.encode("utf-8") + b"\n")
            output.flush()
    warn_of_undecoded(arguments, lines)
    limit = task.preprocessor.encoder_sequence_length
    warn_of_lines(arguments, f"over {limit} tokens, cut", cut)
    return 0


def _load(arguments):
    """The model, with a beam search as the model and the options want it."""
    from kftune.models import TransformerSeq2SeqLM

    task = TransformerSeq2SeqLM.from_preset(arguments.model)
    set_source_language(task, arguments.source_language)
    compile_search(task, arguments.num_beams)
    return task


def _translated(task, chunk, cut, arguments):
    """Output lines of numbered input lines; notes in `cut` which were too long."""
    from kftune.decoding import source_lengths, translate_texts

    options = {
        "max_length": arguments.max_length,
        "target_language": arguments.target_language,
    }
    options = {name: value for name, value in options.items() if value is not None}
    numbers = [number for number, text in chunk if text.strip()]
    texts = [text for _, text in chunk if text.strip()]
    lengths = source_lengths(task, texts, arguments.target_language)
    limit = task.preprocessor.encoder_sequence_length
    cut += [n for n, length in zip(numbers, lengths, strict=True) if length > limit]
    if arguments.n_best:
        options |= {"num_return_sequences": arguments.n_best, "return_scores": True}
    first, last = chunk[0][0], chunk[-1][0]

    def report(done):
        print(f"lines {first} to {last}: {done} of {len(texts)}", file=sys.stderr)

    results = translate_texts(
        task, texts, batch_tokens=arguments.batch_tokens, on_batch=report, **options
    )
    by_number = dict(zip(numbers, results, strict=True))
    for number, _ in chunk:
        yield from _lines(number, by_number.get(number), arguments.n_best)


def _lines(number, result, n_best):
    """What is printed for a line; a blank one has no result."""
    if not n_best:
        return [on_one_line(result or "")]
    pairs = result or [("", 0.0)] * n_best
    return [f"{number}\t{score:.4f}\t{on_one_line(text)}" for text, score in pairs]
