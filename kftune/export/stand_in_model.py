"""The model of a stand-in server: checks a request as TensorFlow Serving would."""

import tensorflow as tf
from tensorflow.core.framework import types_pb2

from kftune.export.checks.version_files import is_version, open_session


class UnknownModelError(LookupError):
    """The server has no such model or version."""


class UnknownSignatureError(ValueError):
    """The model has no such signature; TensorFlow Serving has no own code for it."""


class StandInModel:
    """A version of a model, ready to answer.

    Args:
        version_folder: `Path`; its name is the version, that of the folder above the
            name of the model.

    Raises:
        ValueError: if the version is not named by a positive integer.

    Example:
    ```python
    model = StandInModel(Path("serving/reviews/1"))
    model.predict("", {"text": np.array(["A treat."], object)})
    ```
    """

    def __init__(self, version_folder):
        version_folder = version_folder.resolve()
        if not is_version(version_folder.name):
            raise ValueError(
                "Expected the folder of a version, named by a positive integer. "
                f"Received: {version_folder}"
            )
        self.name = version_folder.parent.name
        self.version = int(version_folder.name)
        self._session = open_session(version_folder)
        self.signature_defs = self._session.meta_graph.signature_def

    def check_spec(self, name, version=None):
        """Checks which model is asked for.

        Raises:
            UnknownModelError: for another model or, unless it is `None`, version.
        """
        if name != self.name:
            raise UnknownModelError(f"Servable not found for request: Latest({name})")
        if version is not None and version != self.version:
            raise UnknownModelError(
                f"Servable not found for request: Specific({name}, {version})"
            )

    def signature(self, name):
        """Gives the `SignatureDef` of a name; `""` is the default one.

        Raises:
            UnknownSignatureError: if there is none.
        """
        name = name or "serving_default"
        if name not in self.signature_defs:
            raise UnknownSignatureError(
                f'Serving signature key "{name}" not found. There are: '
                f"{sorted(self.signature_defs)}"
            )
        return self.signature_defs[name]

    def predict(self, name, inputs):
        """Runs a signature on a batch.

        Args:
            name: `str`, the signature; `""` is the default one.
            inputs: `dict` of arrays by input, as `tf.make_ndarray` makes them.

        Returns:
            `dict` of arrays by output; strings as `bytes`.

        Raises:
            UnknownSignatureError: if there is no such signature.
            ValueError: if the inputs are not those of the signature, or the graph
                refuses them.
        """
        expected = self.signature(name).inputs
        wrong = [
            *(f"{key} is missing" for key in sorted(expected.keys() - inputs.keys())),
            *(f"{key} is unknown" for key in sorted(inputs.keys() - expected.keys())),
            *_wrong_types(expected, inputs),
        ]
        if wrong:
            raise ValueError(f"Inputs do not match the signature: {'; '.join(wrong)}")
        try:
            return self._session.run(name or "serving_default", inputs)
        except (tf.errors.InvalidArgumentError, TypeError) as error:
            raise ValueError(str(error)) from error


def _wrong_types(expected, inputs):
    for key in sorted(expected.keys() & inputs.keys()):
        wanted = expected[key].dtype
        given = tf.dtypes.as_dtype(inputs[key].dtype).as_datatype_enum
        if given != wanted:
            name = types_pb2.DataType.Name
            yield f"{key} is of type {name(given)}, not {name(wanted)}"
        shape = tf.TensorShape(expected[key].tensor_shape)
        if not shape.is_compatible_with(inputs[key].shape):
            yield f"{key} is of shape {inputs[key].shape}, not {shape}"
