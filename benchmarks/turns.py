"""Times sides that take turns, so that all meet the same load of the machine."""

import os
import platform
import statistics
import sys
import time
from importlib.metadata import version

import keras

WARM_UP_TURNS = 2


def time_turns(sides, turns, warm_up_turns=WARM_UP_TURNS):
    """Returns the seconds of each turn by side, after turns that warm up.

    Args:
        sides: dict of `str` to a function without arguments that returns when its
            work is done.
        turns: `int`. How often each side runs.
        warm_up_turns: `int`. How often each side runs before.
    """
    seconds = {name: [] for name in sides}
    for turn in range(warm_up_turns + turns):
        for name, run in sides.items():
            start = time.perf_counter()
            run()
            if turn >= warm_up_turns:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def print_table(seconds, base):
    """Prints, a side, the median time and its ratio to that of `base`, turn by turn.

    Args:
        seconds: what `time_turns` returned.
        base: `str`, the side that the others are compared with. A ratio of 1.10 says
            that the other side takes 1.10 times as long.
    """
    print(f"| side | median ms | times {base}: median (least to most) |")
    print("|---|---|---|")
    for name, times in seconds.items():
        ratios = [a / b for a, b in zip(times, seconds[base], strict=True)]
        milliseconds = 1000 * statistics.median(times)
        print(
            f"| {name} | {milliseconds:.2f} | {statistics.median(ratios):.3f} "
            f"({min(ratios):.3f} to {max(ratios):.3f}) |",
            flush=True,
        )


def print_circumstances():
    """Prints the command, the machine and the versions a table belongs to."""
    backend = keras.backend.backend()
    packages = " ".join(f"{n} {version(n)}" for n in ("keras", "keras-hub", backend))
    command = " ".join([os.path.relpath(sys.argv[0]), *sys.argv[1:]])
    print(f"KERAS_BACKEND={backend} python {command}")
    print(f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(packages, flush=True)


def _processor():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor()
