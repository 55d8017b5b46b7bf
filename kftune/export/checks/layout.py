"""The check `layout`: folders, names and signatures are as the server wants them."""

from kftune.error_text import first_few
from kftune.export.checks.config_files import config_problems
from kftune.export.checks.contract import INPUTS
from kftune.export.checks.outcome import failed, ok
from kftune.export.checks.version_files import is_version, read_meta_graph
from kftune.export.server_session import read_signatures

_MEMBERS = ("saved_model.pb", "variables", "assets")
_DEFAULT = "serving_default"


def check(version, options=None):
    """Looks at the files of a version and at its signatures.

    Args:
        version: `Path`, the folder of the version.
        options: not used.

    Returns:
        `Outcome`.
    """
    version = version.resolve()
    signatures = read_signatures(read_meta_graph(version))
    problems = [
        *_file_problems(version),
        *config_problems(version.parent),
        *_default_problems(signatures),
    ]
    for name, signature in signatures.items():
        problems += _input_problems(name, signature)
        problems += _output_problems(name, signature)
    if problems:
        return failed(*problems)
    return ok(f"version {version.name}, signatures {', '.join(signatures)}")


def _file_problems(version):
    if not is_version(version.name):
        yield (
            "expected a folder named by a positive integer without leading zeros; the "
            f"server passes over others. Received: {version.name}. Rename it"
        )
    if missing := [name for name in _MEMBERS if not (version / name).exists()]:
        yield f"expected in {version}: {', '.join(missing)}. Received: none. Copy all"


def _default_problems(signatures):
    if _DEFAULT not in signatures:
        yield (
            f"expected a signature {_DEFAULT}, which clients call that name none. "
            f"Received: {first_few(list(signatures))}"
        )
    elif list(signatures[_DEFAULT].inputs) != ["text"]:
        yield (
            f"expected {_DEFAULT} to take text alone. Received: the inputs "
            f"{first_few(list(signatures[_DEFAULT].inputs))}. Give options a signature "
            "of their own"
        )


def _input_problems(name, signature):
    for key, spec in signature.inputs.items():
        dtype = INPUTS.get(key, (spec.dtype, None))[0]
        if spec.dtype != dtype:
            yield (
                f"expected the input {key} of {name} as {dtype}. Received: "
                f"{spec.dtype}. Clients send {dtype}"
            )
        if spec.shape != (None,):
            yield (
                f"expected the input {key} of {name} in the shape (None,), a value a "
                f"row. Received: {spec.shape}. Export with tf.TensorSpec([None], …)"
            )


def _output_problems(name, signature):
    for key, spec in signature.outputs.items():
        if key.endswith("_bytes"):
            yield (
                f"expected outputs that REST shows as text. Received: {key} of {name}, "
                "which it would show as base64. Leave out _bytes"
            )
        if not spec.shape or spec.shape[0] is not None:
            yield (
                f"expected the batch as first dimension of the output {key} of {name}, "
                f"None. Received: the shape {spec.shape}. Do not fix the batch size"
            )
