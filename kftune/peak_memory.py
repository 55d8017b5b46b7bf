"""The most memory that this process held."""

import re
import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_memory():
    """The most memory that this process held since its program began, in bytes.

    Returns:
        `int`.
    """
    if _STATUS.exists():
        # Linux's ru_maxrss starts at the peak of the process that started this one.
        return int(re.search(r"VmHWM:\s*(\d+) kB", _STATUS.read_text())[1]) * 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 2**10  # bytes there, or KiB
