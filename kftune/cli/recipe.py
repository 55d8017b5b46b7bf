"""Run a recipe's function from the command line."""

import itertools
import json
import sys
import typing

import jsonargparse

from kftune.cli.option_types import Limits, OfRun
from kftune.files import can_be_folder
from kftune.training.overwriting import overwriting
from kftune.training.run_folder import read_finished


def run_recipe(main, argv=None):
    """Call a recipe's function with what the command line and `--config` say.

    Each argument of the function is an option, named with dashes or underscores; its
    type is checked, an unknown option is an error, and `--help` shows the docstring.
    An option whose type is a list takes one value or several: `--corpora django plone`.
    One whose type is `bool` takes true or false, and is true without: `--docker`.
    `--config FILE.yaml` holds options by name; options behind it win. A number outside
    its limits (`kftune.cli.option_types`) is an error before the function is called.

    If an option of the function is a `RunFolder`, a run in it that has ended with the
    same options is told of and left alone: the function is not called. The switch
    `--overwrite` makes it anew, and discards one that was stopped.

    Args:
        main: function with typed keyword arguments; some may have no defaults.
        argv: list of str; `None` takes the process's own arguments.

    Returns:
        What `main` returns; `None` if it was not called.

    Raises:
        SystemExit: with status 2 and a message on the standard error, if options are
            not as expected; numbers outside their limits are named all at once.

    Example:
    ```python
    def main(epochs: PositiveInt = 3):
        print(epochs)

    run_recipe(main, ["--epochs", "5"])  # 5
    ```
    """
    options, overwrite = _read(main, argv)
    folders = [options[name] for name in _folders_of_runs(main)]
    if not overwrite and any(read_finished(folder, options) for folder in folders):
        print(
            f"{folders[0]}: finished already with these options, see results.json "
            "there. What is in the files is not compared; --overwrite makes it anew."
        )
        return None
    with overwriting(overwrite):
        return main(**options)


def read_options(main, argv=None):
    """Read and check the options of a recipe's function without calling it.

    Args:
        main: function with typed keyword arguments; some may have no defaults.
        argv: list of str; `None` takes the process's own arguments.

    Returns:
        Dict of all arguments of `main` by name, defaults included.

    Raises:
        SystemExit: as `run_recipe`.
    """
    return _read(main, argv)[0]


def _read(main, argv):
    """The arguments of `main`, and whether `--overwrite` was given."""
    parser = jsonargparse.auto_parser(main, as_positional=False)
    switches = _options(main, bool)
    if _folders_of_runs(main):
        parser.add_argument(
            "--overwrite",
            type=bool,
            default=False,
            help="discard the run that is in the folder, stopped or ended",
        )
        switches.append("--overwrite")
    argv = sys.argv[1:] if argv is None else argv
    argv = _with_flags([_underscored(part) for part in argv], switches)
    argv = _with_lists(argv, _options(main, list))
    parsed = parser.parse_args(argv)
    options = parser.instantiate(parsed).as_dict()
    options.pop("config")
    overwrite = options.pop("overwrite", False)
    wrong = [
        f"--{name.replace('_', '-')}: expected {limits}. Received: {options[name]}"
        for name, limits in _limits(main)
        if not limits.hold(options[name])
    ]
    wrong += [
        f"--{name.replace('_', '-')}: expected a folder, or where one can be made. "
        f"Received: {options[name]}, where a file is"
        for name in _folders_of_runs(main)
        if not can_be_folder(options[name])
    ]
    if wrong:
        parser.error("; ".join(wrong))
    return options, overwrite


def _limits(main):
    """The options of a function that have limits, with them."""
    return _marked(main, Limits)


def _folders_of_runs(main):
    """The options of a function that are folders of runs."""
    return [name for name, _ in _marked(main, OfRun)]


def _marked(main, kind):
    """The options of a function whose type is annotated with such marks, with them."""
    for name, hint in typing.get_type_hints(main, include_extras=True).items():
        for mark in getattr(hint, "__metadata__", ()):
            if isinstance(mark, kind):
                yield name, mark


def _options(main, kind):
    """The options of a function that are of a type, `bool` or `list`."""
    hints = typing.get_type_hints(main)
    return [
        f"--{name}"
        for name, hint in hints.items()
        if kind in (hint, typing.get_origin(hint))
    ]


def _with_flags(argv, options):
    """Write `--docker` without a value behind it as `--docker=true`."""
    following = [*argv, "--"][1:]
    return [
        f"{part}=true" if part in options and after.startswith("--") else part
        for part, after in zip(argv, following, strict=True)
    ]


def _with_lists(argv, options):
    """Write `--corpora django plone` as `--corpora ["django", "plone"]`."""
    written, values = [], None
    for part in itertools.chain.from_iterable(_apart(p, options) for p in argv):
        if part.startswith("--"):
            values = [] if part in options else None
            written += [part] if values is None else [part, values]
        elif values is None:
            written.append(part)
        else:
            values.append(part)
    return [json.dumps(part) if isinstance(part, list) else part for part in written]


def _apart(part, options):
    """Write `--corpora=django` as two parts; a list in JSON stays as it is."""
    option, equals, value = part.partition("=")
    is_value = equals and option in options and not value.startswith("[")
    return [option, value] if is_value else [part]


def _underscored(part):
    """Write `--batch-size=8` as `--batch_size=8`; values stay as they are."""
    if not part.startswith("--"):
        return part
    option, equals, value = part.partition("=")
    return "--" + option[2:].replace("-", "_") + equals + value
