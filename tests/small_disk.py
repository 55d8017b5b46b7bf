"""A disk that is full, to the writing process."""

import contextlib
import resource


@contextlib.contextmanager
def small_disk(most_bytes):
    """No file can grow beyond so many bytes within the block."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
