"""The check `warmup`: the requests that the server replays at its start succeed."""

from kftune.export.checks.outcome import failed, note, ok
from kftune.export.checks.session_errors import explained
from kftune.export.checks.version_files import open_session

_MOST = 1000  # the server refuses a file with more


def check(version, options=None):
    """Replays the warm-up requests of a version.

    Args:
        version: `Path`, the folder of the version.
        options: not used.

    Returns:
        `Outcome`.
    """
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    if not path.is_file():
        return note(f"no {path.name}: the first requests will be slow")
    try:
        from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
    except ImportError:
        return failed("the requests need a package. Run: pip install kftune[serving]")
    session = open_session(version)
    problems, count = [], 0
    try:
        for count, record in enumerate(_records(path), start=1):
            problem = _problem(session, PredictionLog, record)
            problems += [f"record {count}: {problem}"] if problem else []
    except Exception as error:  # of the reader: the file is broken
        problems.append(f"{path.name} after record {count}: {explained(error)}")
    if not 1 <= count <= _MOST:
        problems.append(f"expected 1 to {_MOST} records. Received: {count}")
    return failed(*problems) if problems else ok(f"{count} requests replayed")


def _records(path):
    import tensorflow as tf

    return tf.data.TFRecordDataset(str(path)).as_numpy_iterator()


def _problem(session, log_class, record):
    """What is wrong with a request, or `None`."""
    import tensorflow as tf

    try:
        log = log_class.FromString(record)
        if log.WhichOneof("log_type") != "predict_log":
            return f"expected a predict_log. Received: {log.WhichOneof('log_type')}"
        request = log.predict_log.request
        inputs = {name: tf.make_ndarray(t) for name, t in request.inputs.items()}
        session.run(request.model_spec.signature_name or "serving_default", inputs)
    except Exception as error:  # every error of a request is a finding
        return explained(error)
    return None
