"""The check `ops`: the stock server knows every op, and none needs XLA or Python."""

import dataclasses

from kftune.error_text import first_few
from kftune.export.checks import served_ops
from kftune.export.checks.outcome import failed, ok
from kftune.export.checks.version_files import is_for_xla, read_meta_graph

_JIT = "_XlaMustCompile"
_XLA_ADVICE = (
    "The stock server refuses XLA on a CPU. Export with jit_compile=False and without "
    "keras.ops.slice_update (tf.raw_ops.TensorStridedSliceUpdate does its work), or "
    "with xla=True for servers that are started with --xla_cpu_compilation_enabled"
)


@dataclasses.dataclass(frozen=True)
class _Use:
    """An op, or a call of a function, and where it stands."""

    op: str
    place: str
    attributes: object
    is_call: bool = False


def check(version, options=None):
    """Scans the graph and all functions of a version.

    Args:
        version: `Path`, the folder of the version.
        options: not used.

    Returns:
        `Outcome`.
    """
    graph = read_meta_graph(version).graph_def
    uses = list(_uses(graph))
    problems = list(_unknown(uses)) + list(_unwanted(uses))
    xla = sorted({f"{use.op} in {use.place}" for use in uses if _needs_xla(use)})
    if xla and not is_for_xla(version):
        problems.append(f"XLA is needed by {first_few(xla)}. {_XLA_ADVICE}")
    if problems:
        return failed(*problems)
    ops = {use.op for use in uses if not use.is_call}
    text = sorted(ops & served_ops.TEXT_OPS)
    shown = (
        f"{len(ops)} ops that TensorFlow 2.20 has, {len(text)} of them of TF Text; no "
        "growing tables, no Python"
    )
    if not is_for_xla(version):
        return ok(f"{shown}, no XLA")
    return ok(
        f"{shown}. Exported with xla=True: start the server with "
        "--xla_cpu_compilation_enabled, or run it on a GPU"
    )


def _uses(graph):
    """Every node of the graph and its functions, and the functions themselves."""
    names = {function.signature.name for function in graph.library.function}
    for node in graph.node:
        yield _Use(node.op, "the graph", node.attr, node.op in names)
    for function in graph.library.function:
        place = function.signature.name
        yield _Use(place, place, function.attr, is_call=True)
        for node in function.node_def:
            yield _Use(node.op, place, node.attr, node.op in names)


def _unknown(uses):
    """Problems with ops and attributes that the server does not have."""
    from tensorflow.python.framework import op_def_registry

    for use in uses:
        if use.is_call:
            continue
        new = served_ops.NEW_ATTRIBUTES.get(use.op)
        if use.op in served_ops.NEW_OPS or (new and new in use.attributes):
            what = use.op if use.op in served_ops.NEW_OPS else f"{new} of {use.op}"
            yield (
                f"{what} is newer than TensorFlow 2.20, which the server links. Write "
                "it with older ops"
            )
        elif use.op.startswith("TFText>") and use.op not in served_ops.TEXT_OPS:
            yield (
                f"{use.op} is not in TF Text 2.12.1, which servers up to 2.19.1 link. "
                "Write it with TensorFlow's own ops, or pack the tokens outside it"
            )
        elif use.op not in served_ops.TEXT_OPS and op_def_registry.get(use.op) is None:
            yield (
                f"{use.op} is an op of neither TensorFlow nor TF Text. The server "
                "cannot load it; write it with TensorFlow's own ops"
            )


def _unwanted(uses):
    """Problems with ops that the server has, and that must not be served."""
    for use in uses:
        if use.op.startswith(served_ops.GROWING_TABLES):
            yield (
                f"{use.op} in {use.place} is a table that can grow with every request. "
                "Export a constant table, tf.lookup.StaticHashTable, and no cache"
            )
        if use.op in served_ops.PYTHON_OPS:
            yield (
                f"{use.op} in {use.place} calls Python, which the server does not "
                "have. Write it with TensorFlow's own ops"
            )


def _needs_xla(use):
    """Tells whether XLA must compile: an op of XLA, or a function marked for it."""
    if use.op.startswith(("Xla", "_Xla")) and not use.is_call:
        return True
    return any(_is_marked(name, value) for name, value in use.attributes.items())


def _is_marked(name, value):
    if name == _JIT:
        return value.b
    nested = [value.func, *value.list.func]
    return any(_is_marked(*pair) for func in nested for pair in func.attr.items())
