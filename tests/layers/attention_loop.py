"""Attention with a loop over rows, heads and tokens, in float64 NumPy."""

import numpy as np


def attend(layer, query, value, mask=None):
    """Returns what `layer` should, and its weights, `(B, N, T, S)`.

    `mask` is a bool array that broadcasts to `(B, N, T, S)`, or None.
    """
    queries = project(layer._query_dense, query)
    keys = project(layer._key_dense, value)
    values = project(layer._value_dense, value)
    batch, targets, heads, size = queries.shape
    sources, groups = keys.shape[1], heads // keys.shape[2]
    mask = np.broadcast_to(
        True if mask is None else mask, (batch, heads, targets, sources)
    )
    output = np.zeros((batch, targets, heads, values.shape[-1]))
    weights = np.zeros(mask.shape)
    for b, n, t in np.ndindex(batch, heads, targets):
        seen = np.flatnonzero(mask[b, n, t])
        scores = [queries[b, t, n] @ keys[b, s, n // groups] for s in seen]
        exponents = np.exp(np.array(scores) / np.sqrt(size))
        for s, exponent in zip(seen, exponents, strict=True):
            weights[b, n, t, s] = exponent / exponents.sum()
            output[b, t, n] += weights[b, n, t, s] * values[b, s, n // groups]
    if layer._use_gate:
        output *= 1 / (1 + np.exp(-project(layer._gate_dense, query)))
    return project(layer._output_dense, output, axes=2), weights


def project(dense, x, axes=1):
    """Returns the product of the last axes of `x` with a kernel, plus the bias."""
    kernel, *bias = [np.asarray(weight, "float64") for weight in dense.get_weights()]
    x = np.asarray(x, "float64")
    return np.tensordot(x, kernel, axes) + (bias[0] if bias else 0)
