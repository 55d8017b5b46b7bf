"""`kftune score`: BLEU, chrF and TER of files of translations."""

import argparse

from kftune.cli.input_lines import check_files


def add_parser(commands):
    """Add the subcommand to an `argparse` subparsers object."""
    parser = commands.add_parser(
        "score",
        help="score translations with BLEU, chrF and TER",
        description="Score files of translations, a line each, with sacreBLEU. Of "
        "several files, each is tested against the first. Files may end in .gz or .xz.",
    )
    parser.add_argument("translations", nargs="+", help="files, the baseline first")
    parser.add_argument(
        "--reference",
        action="append",
        required=True,
        metavar="FILE",
        help="file of references; again for more of them, blank where a line has none",
    )
    parser.add_argument(
        "--metrics",
        type=lambda text: text.split(","),
        default=["bleu", "chrf", "ter"],
        help="such as bleu,chrf (default: bleu,chrf,ter)",
    )
    parser.add_argument(
        "--lowercase", action="store_true", help="score lower-cased text"
    )
    parser.add_argument(
        "--tokenize", help="sacreBLEU's tokenizer, such as zh, ja-mecab"
    )
    parser.add_argument(
        "--sentences", action="store_true", help="a line of scores for each line"
    )
    parser.add_argument(
        "--test",
        choices=["bootstrap", "randomisation"],
        help="of several files (default: bootstrap)",
    )
    parser.add_argument(
        "--samples", type=int, help="of the test (default: 1000 or 10000)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace):
    """Print the scores. Returns 0."""
    from kftune.evaluation import compare_systems, score_sentences, score_translations

    _check_options(arguments)
    check_files([*arguments.translations, *arguments.reference])
    references = _references(arguments.reference)
    systems = {path: _lines(path) for path in arguments.translations}
    _check_counts(systems, arguments.reference[0], len(references))
    options = {
        "metrics": arguments.metrics,
        "lowercase": arguments.lowercase,
        "tokenize": arguments.tokenize,
    }
    if len(arguments.translations) > 1:
        test = {"test": arguments.test or "bootstrap", "samples": arguments.samples}
        print(compare_systems(systems, references, **test, **options))
        return 0
    (translations,) = systems.values()
    if arguments.sentences:
        _print_table(score_sentences(translations, references, **options))
    else:
        print(score_translations(translations, references, **options))
    return 0


def _check_options(arguments):
    """Options that would be ignored are an error."""
    paths = arguments.translations
    if twice := sorted({path for path in paths if paths.count(path) > 1}):
        raise ValueError(f"Expected different files. Received: {twice} more than once")
    comparison = [f"--{n}" for n in ("test", "samples") if getattr(arguments, n)]
    several = len(paths) > 1
    if several and arguments.sentences:
        raise ValueError("Expected one file with --sentences. Received several.")
    if comparison and not several:
        raise ValueError(
            f"Expected several files with {' and '.join(comparison)}. Received one."
        )


def _references(paths):
    """A list of references for each line."""
    columns = [_lines(path) for path in paths]
    if len({len(column) for column in columns}) > 1:
        counts = [f"{p}: {len(c)}" for p, c in zip(paths, columns, strict=True)]
        raise ValueError(
            "Expected files of references with equally many lines. Received: "
            f"{', '.join(counts)}"
        )
    rows = zip(*columns, strict=True)
    return [[text for text in row if text.strip()] for row in rows]


def _check_counts(systems, reference, count):
    """Names the files whose lines cannot be those of the references."""
    wrong = {path: len(lines) for path, lines in systems.items() if len(lines) != count}
    if wrong:
        raise ValueError(
            f"Expected as many lines as in {reference}: {count}. Received: {wrong}"
        )


def _lines(path):
    from pathlib import Path

    from kftune.data.text_lines import numbered_lines

    return [line for _, line in numbered_lines(Path(path))]


def _print_table(scores):
    """A line of column names, and one for each sentence."""
    print("line", *scores, sep="\t")
    for number, row in enumerate(zip(*scores.values(), strict=True), start=1):
        print(number, *(f"{score:.2f}" for score in row), sep="\t")
