"""Pack token rows of many lengths into rows of one length, without padding."""

import numpy as np


def pack(rows, length, end_token_id, seed=0):
    """Join rows, end token between them, and cut the stream into equal rows.

    The stream starts at a seeded offset, so another seed cuts it elsewhere; the
    tokens before that offset and after the last full row are left out.

    Args:
        rows: iterable of 1-D int sequences, the token ids of one document each.
        length: int, tokens in a packed row.
        end_token_id: int, put before the first row and after each.
        seed: int. Decides the offset, from 0 to `length - 1`.

    Returns:
        int32 array [R, length], R packed rows; R is 0 when there is too little.

    Raises:
        ValueError: If `length` is less than 2: nothing would follow a token.

    Example:
    ```python
    pack([[5, 6, 7], [8, 9]], length=3, end_token_id=0)
    ```
    """
    if length < 2:
        raise ValueError(f"Expected a length of 2 tokens or more. Received: {length}")
    parts = [np.array([end_token_id], "int32")]
    for row in rows:
        parts += [np.asarray(row, "int32"), parts[0]]
    stream = np.concatenate(parts)
    offset = int(np.random.default_rng(seed).integers(length))
    count = max(0, (len(stream) - offset) // length)
    return stream[offset : offset + count * length].reshape(count, length)
