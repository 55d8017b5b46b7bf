"""`kftune report`: one file of HTML about one run or several."""

import argparse


def add_parser(commands):
    """Add the subcommand to an `argparse` subparsers object."""
    parser = commands.add_parser(
        "report",
        help="show runs side by side in a file of HTML",
        description="Write a page about the folders of runs that recipes made: scores "
        "with confidence intervals, learning curves, settings, what was frozen, "
        "figures, translations. It needs no network and no other file.",
    )
    add = parser.add_argument
    add("runs", nargs="+", metavar="RUN", help="folder of a run")
    add("--output", metavar="FILE", default="report.html", help="(report.html)")
    add(
        "--sentence",
        action="append",
        default=[],
        metavar="TEXT",
        help="show the attention of RUN/model within this text; again for more",
    )
    add("--sentences", metavar="FILE", help="the same for each line of a file, or of -")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace):
    """Write the page. Returns 0."""
    from kftune.evaluation import write_report
    from kftune.training import read_runs

    runs = read_runs(arguments.runs)
    attention = _attention(runs, _sentences(arguments))
    write_report(runs, arguments.output, attention)
    print(f"Written to {arguments.output}: {', '.join(run.name for run in runs)}")
    return 0


def _sentences(arguments):
    from kftune.cli.input_lines import InputLines

    lines = InputLines([arguments.sentences]) if arguments.sentences else ()
    return [*arguments.sentence, *(line for line in lines if line.strip())]


def _attention(runs, sentences):
    """Attention by run, of their models."""
    if not sentences:
        return {}
    # In a run that has not ended, a model is of an earlier one.
    ended = [run for run in runs if run.results and _model(run).is_dir()]
    if without := [str(run.folder) for run in runs if run not in ended]:
        raise ValueError(
            "Expected results.json and a folder model/ in each run whose attention is "
            f"to be shown. Missing in: {', '.join(without)}"
        )
    from kftune.evaluation import attention_maps
    from kftune.models import load_task

    return {run.name: attention_maps(load_task(_model(run)), sentences) for run in runs}


def _model(run):
    return run.folder / "model"
