"""The check `cost`: size, latency and memory, on this machine."""

import time

import numpy as np

from kftune.export.checks.outcome import failed, ok
from kftune.export.checks.sample_inputs import sample_inputs
from kftune.export.checks.session_errors import explained
from kftune.export.checks.version_files import known_cases, open_session
from kftune.peak_memory import peak_memory

_SIGNATURE = "serving_default"
_BATCH_SIZES = (1, 8)
_WARM_UP_CALLS = 3
_MIB = 2**20


def check(version, options):
    """Measures what a version costs.

    Args:
        version: `Path`, the folder of the version.
        options: `dict` with `calls`, an `int`: how many are timed for each batch size.

    Returns:
        `Outcome`.
    """
    import tensorflow as tf

    before = peak_memory()
    session, cases = open_session(version), known_cases(version)
    try:
        times = {
            size: _latencies(session, size, cases, options["calls"])
            for size in _BATCH_SIZES
        }
    except (tf.errors.OpError, ValueError) as error:
        return failed(f"{_SIGNATURE} cannot be timed: {explained(error)}")
    shown = [
        f"batch {size}: p50 {np.percentile(ms, 50):.1f} ms, "
        f"p99 {np.percentile(ms, 99):.1f} ms"
        for size, ms in times.items()
    ]
    return ok(
        f"{_size(version) / _MIB:.1f} MiB on disk; {'; '.join(shown)} of "
        f"{options['calls']} calls; peak memory {peak_memory() / _MIB:.0f} MiB, "
        f"{before / _MIB:.0f} of them TensorFlow's before the model was loaded"
    )


def _latencies(session, size, cases, calls):
    """Times of calls, in milliseconds."""
    known = [t for case in cases for t in case["inputs"].get("text", [])]
    texts = [t.encode() for t in known] or [b"A plain sentence, with an end."]
    texts = [texts[row % len(texts)] for row in range(size)]
    inputs = sample_inputs(session.signatures[_SIGNATURE], texts, cases)
    times = []
    for _ in range(_WARM_UP_CALLS + calls):
        start = time.perf_counter()
        session.run(_SIGNATURE, inputs)
        times.append(1000 * (time.perf_counter() - start))
    return times[_WARM_UP_CALLS:]


def _size(folder):
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
