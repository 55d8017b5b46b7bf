"""`kftune verify`: whether an exported SavedModel would run in TF Serving."""

from kftune.cli.option_types import positive_int


def add_parser(commands):
    """Add the subcommand to an `argparse` subparsers object."""
    parser = commands.add_parser(
        "verify",
        help="check an exported SavedModel for TF Serving",
        description="Check that a SavedModel would run in TF Serving's stock server, "
        "as far as that can be shown without the server. The exit status is 1 if a "
        "check failed.",
    )
    add = parser.add_argument
    add("folder", help="the model's base path, or the folder of a version")
    add(
        "--preset", metavar="FOLDER", help="compare with this preset's predictions, too"
    )
    add("--calls", type=positive_int, default=50, help="timed (default: 50)")
    parser.set_defaults(run=run)


def run(arguments):
    """Print a line a check. Returns 0, or 1 if one failed."""
    from kftune.export.verify_saved_model import outcome_line, verify

    report = verify(
        arguments.folder,
        preset=arguments.preset,
        calls=arguments.calls,
        on_outcome=lambda *found: print(outcome_line(*found), flush=True),
    )
    print(report.summary())
    return 0 if report.ok else 1
