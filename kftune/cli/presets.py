"""`kftune presets`: the pretrained models at hand."""


def add_parser(commands):
    """Add the subcommand to an `argparse` subparsers object."""
    parser = commands.add_parser("presets", help="list the pretrained models at hand")
    parser.set_defaults(run=run)


def run(arguments):
    """Print a line a preset. Returns 0."""
    from kftune.models import presets  # the list needs Keras; --help must not

    for preset in presets():
        print(preset)
    return 0
