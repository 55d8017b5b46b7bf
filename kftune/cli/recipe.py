"""Run a recipe's function from the command line."""

import sys

import jsonargparse


def run_recipe(main, argv=None):
    """Call a recipe's function with what the command line and `--config` say.

    Each argument of the function is an option, named with dashes or underscores; its
    type is checked, an unknown option is an error, and `--help` shows the docstring.
    `--config FILE.yaml` holds options by name; options behind it win.

    Args:
        main: function with typed arguments that all have defaults.
        argv: list of str; `None` takes the process's own arguments.

    Returns:
        What `main` returns.

    Example:
    ```python
    def main(epochs: int = 3):
        print(epochs)

    run_recipe(main, ["--epochs", "5"])  # 5
    ```
    """
    argv = sys.argv[1:] if argv is None else argv
    return jsonargparse.auto_cli(
        main, args=[_underscored(part) for part in argv], as_positional=False
    )


def _underscored(part):
    """Write `--batch-size=8` as `--batch_size=8`; values stay as they are."""
    if not part.startswith("--"):
        return part
    option, equals, value = part.partition("=")
    return "--" + option[2:].replace("-", "_") + equals + value
