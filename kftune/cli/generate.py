"""`kftune generate`: prompts of a file into texts that go on with them."""

import argparse
import itertools
import json
import math
import sys
from pathlib import Path

from kftune.cli.line_output import (
    WHOLE,
    on_one_line,
    open_output,
    warn_of_undecoded,
)
from kftune.cli.option_types import positive_int
from kftune.error_text import shortened

_LINES_AT_ONCE = 10_000
_PROMPT = "prompt"
_SAMPLING = (
    ("temperature", float, 0.8, "0 for the likeliest tokens"),
    ("top_k", int, 0, "draw among so many of the likeliest tokens; 0: all"),
    ("top_p", float, 0.95, "draw among the likeliest with this share together"),
    ("min_p", float, 0.0, "draw among tokens of this multiple of the best one's share"),
    ("repetition_penalty", float, 1.0, "above 1, fewer tokens come twice"),
    ("no_repeat_ngram_size", int, 0, "n-grams of tokens that come once at most"),
    ("seed", int, 0, "the same one gives the same texts"),
)

_RULES = {"repetition_penalty", "no_repeat_ngram_size"}  # a search has them, too


def add_parser(commands):
    """Add the subcommand to an `argparse` subparsers object."""
    parser = commands.add_parser(
        "generate",
        help="go on with prompts, a line each",
        description="Go on with the prompts of files, or of the standard input, one a "
        "line. What is written is what follows, without the prompt, on one line. Blank "
        "lines stay blank, and lines keep their order.",
    )
    add = parser.add_argument
    add("files", nargs="*", help="UTF-8 text; .gz and .xz are unpacked")
    add("--model", required=True, help="folder or name of a GPT-2")
    add("--output", metavar="FILE", help=WHOLE)
    add(
        "--jsonl",
        action="store_true",
        help=f'a JSON object a line: its "{_PROMPT}" is read, and it is written with '
        "the text added",
    )
    add(
        "--completion-key",
        default="completion",
        metavar="KEY",
        help='under which --jsonl adds the text (default: "completion")',
    )
    add("--max-new-tokens", type=positive_int, default=64)
    add("--num-beams", type=positive_int, help="a beam search, in place of sampling")
    for name, kind, default, what in _SAMPLING:
        option = f"--{name.replace('_', '-')}"
        add(option, type=kind, help=f"{what} (default: {default})")
    add(
        "--stop",
        action="append",
        default=[],
        metavar="TEXT",
        help="ends a text before it; may be given again",
    )
    add(
        "--long-prompts",
        choices=["error", "window"],
        default="error",
        help="window: of prompts that are too long, read the end",
    )
    add("--batch-tokens", type=positive_int, default=2048, help="of a batch's prompts")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace):
    """Generate. Returns 0."""
    from kftune.cli.input_lines import InputLines

    lines = InputLines(arguments.files)
    numbered = enumerate(lines, start=1)
    with open_output(arguments.output) as output:
        task = _load(arguments)
        # A line at the end that is wrong is not to cost what came before; what is no
        # file can be read once only.
        if all(Path(path).is_file() for path in lines.paths):
            checked = InputLines(arguments.files)
            numbers = enumerate(checked, start=1)
            while chunk := list(itertools.islice(numbers, _LINES_AT_ONCE)):
                _check(task, chunk, arguments, checked.place)
        while chunk := list(itertools.islice(numbered, _LINES_AT_ONCE)):
            for line in _completed(task, chunk, arguments, lines.place):
                # JSON can hold half a character, which UTF-8 cannot.
                output.write(line.encode("utf-8", "replace") + b"\n")
            output.flush()
    warn_of_undecoded(arguments, lines)
    return 0


def _load(arguments):
    """The model, with the sampler that the options tell."""
    from kftune.decoding import BeamSearch, Sampling
    from kftune.models import GPT2CausalLM

    given = {name: getattr(arguments, name) for name, *_ in _SAMPLING}
    given = {name: value for name, value in given.items() if value is not None}
    if arguments.num_beams is None:
        sampler = Sampling(**{name: d for name, _, d, _ in _SAMPLING} | given)
    elif drawn := given.keys() - _RULES:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(drawn))
        raise ValueError(f"Expected --num-beams or {options}, which draws at random.")
    else:
        sampler = BeamSearch(arguments.num_beams, **given)
    task = GPT2CausalLM.from_preset(arguments.model)
    task.compile(sampler=sampler)
    return task


def _check(task, chunk, arguments, place):
    """Raises for a line that cannot be gone on with."""
    from kftune.decoding import check_prompts

    objects = _objects(chunk, arguments, place)
    check_prompts(task, **_asked(objects, arguments, place))


def _objects(chunk, arguments, place):
    """A dict with the prompt of each numbered line that is not blank."""
    return {n: _parsed(place(n), line, arguments) for n, line in chunk if line.strip()}


def _asked(objects, arguments, place):
    """The prompts, what errors call them, and how long they may be."""
    return {
        "prompts": [each[_PROMPT] for each in objects.values()],
        "names": [place(number) for number in objects],
        "max_new_tokens": arguments.max_new_tokens,
        "long_prompts": arguments.long_prompts,
    }


def _completed(task, chunk, arguments, place):
    """Output lines of numbered input lines."""
    from kftune.decoding import generate_texts

    objects = _objects(chunk, arguments, place)
    first, last = chunk[0][0], chunk[-1][0]

    def report(done):
        print(f"lines {first} to {last}: {done} of {len(objects)}", file=sys.stderr)

    texts = generate_texts(
        task,
        **_asked(objects, arguments, place),
        stop_strings=arguments.stop,
        batch_tokens=arguments.batch_tokens,
        on_batch=report,
    )
    by_number = dict(zip(objects, texts, strict=True))
    for number, _ in chunk:
        if number not in objects:
            yield ""
        elif arguments.jsonl:
            made = {arguments.completion_key: by_number[number]}
            yield json.dumps({**objects[number], **made}, ensure_ascii=False)
        else:
            yield on_one_line(by_number[number])


def _parsed(place, line, arguments):
    """A dict with the prompt of a line."""
    if not arguments.jsonl:
        return {_PROMPT: line}
    try:
        parsed = json.loads(line, parse_constant=_refuse, parse_float=_finite)
    except ValueError as error:
        raise ValueError(
            f"Expected a JSON object in {place}. Received: {error}"
        ) from error
    if not isinstance(parsed, dict) or not isinstance(parsed.get(_PROMPT), str):
        raise ValueError(
            f'Expected a JSON object with a "{_PROMPT}", a string, in {place}. '
            f"Received: {line[:80]}"
        )
    if arguments.completion_key in parsed:
        raise ValueError(
            f"Expected no {arguments.completion_key!r} in {place}, where the "
            "text is to go. Pass another --completion-key. "
            f"Received: {shortened(line)}"
        )
    return parsed


def _refuse(constant):
    """NaN, Infinity and -Infinity: Python would read and write what others cannot."""
    raise ValueError(f"{constant}, which is no JSON")


def _finite(number):
    """A number as 1e999, which Python would read as infinity, and write as that."""
    if math.isinf(float(number)):
        _refuse(number)
    return float(number)
