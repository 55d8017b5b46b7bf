"""A recipe in a process that is killed when it has touched so many files."""

import multiprocessing
import os
import runpy
import sys
import time
from multiprocessing.connection import wait

import kftune

EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "shutil.rmtree"}


def make_context():
    """Makes what starts processes that have imported everything already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["kftune.cli.recipe", __name__])
    return context


def run_and_kill(context, recipe, options, out, *, touched, seconds):
    """Runs a recipe until it has touched files in `out` so often; then comes SIGKILL.

    Args:
        context: what `make_context` returned.
        recipe: path of the recipe.
        options: list of its options but `--out`.
        out: path of the run.
        touched: int; a recipe that touches files less often is not killed.
        seconds: float, from then to the kill.

    Returns:
        int: 0 if it ended by itself.
    """
    ours, theirs = context.Pipe(duplex=False)
    argv = [*map(str, [recipe, *options]), "--out", str(out)]
    process = context.Process(target=_run, args=(argv, str(out), touched, theirs))
    process.start()
    if ours in wait([ours, process.sentinel]):
        time.sleep(seconds)
        process.kill()
    process.join()
    return process.exitcode


def _run(argv, out, touched, connection):
    """Runs a recipe, which leaves its last checkpoint to be compared."""
    left = touched

    def count(event, args):
        nonlocal left
        if event in EVENTS and str(args[0]).startswith(out + os.sep):
            left -= 1
            if left == 0:
                connection.send("touched")

    kftune.training.close_run = lambda folder: None
    sys.addaudithook(count)
    sys.argv = argv
    runpy.run_path(argv[0], run_name="__main__")
