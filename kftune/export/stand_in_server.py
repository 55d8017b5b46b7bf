"""A stand-in for a model server. It is NOT TensorFlow Serving.

It answers the calls of `PredictionService` (Predict, GetModelMetadata), `ModelService`
(GetModelStatus) and of the REST API, on the loopback interface, over the loader that
TensorFlow Serving uses. It has no batching, no GPU, no reload of versions, no
`instances` in REST and no limits, so its speed tells nothing. It is for tests, and for
machines without Docker.

    python -m kftune.export.stand_in_server serving/reviews
    python -m kftune.export.stand_in_server serving/reviews --port 8500 --rest-port 8501
"""

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kftune.export.checks.processes import environment
from kftune.export.checks.version_files import find_version

_STARTED = (
    "Stand-in, NOT TensorFlow Serving (no batching, no GPU): model {name}, version "
    "{version}, gRPC on 127.0.0.1:{port}, REST on http://127.0.0.1:{rest_port}"
)
_PORTS = re.compile(r"gRPC on (127\.0\.0\.1:\d+), REST on (http://127\.0\.0\.1:\d+)\n")


class StandInServer:
    """A stand-in server in a process of its own, for a `with` block.

    A process of its own, because it disables XLA as the stock TensorFlow Serving does.
    It ends with the block, and with the process that started it.

    Args:
        base_path: `str` or `Path`, the folder of the versions, of which the newest is
            served, or the folder of one version. The name of the model is that of the
            folder of the versions.
        start_timeout: `float`, seconds, in which the model must be loaded.

    Attributes:
        grpc_target: `str`, `"127.0.0.1:<a free port>"`.
        rest_url: `str`, `"http://127.0.0.1:<a free port>"`.
        pid: `int`, of the process.

    Raises:
        FileNotFoundError: if there is no version under `base_path`.
        ValueError: if the versions are not named by positive integers.
        RuntimeError: if the process ended; with what it wrote last.
        TimeoutError: if it was not ready in time.

    Example:
    ```python
    with (
        StandInServer("serving/reviews") as server,
        ServingClient(server.grpc_target, "reviews") as client,
    ):
        client.labels("A treat.")
    ```
    """

    def __init__(self, base_path, start_timeout=300.0):
        self.base_path = Path(base_path)
        self.start_timeout = start_timeout
        self._closing = contextlib.ExitStack()

    def __enter__(self):
        find_version(self.base_path)
        with contextlib.ExitStack() as stack:
            log = Path(stack.enter_context(tempfile.TemporaryDirectory()), "log")
            process = stack.enter_context(_process(self.base_path, log))
            self.grpc_target, self.rest_url = self._ready(process, log)
            self.pid = process.pid
            self._closing = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._closing.close()

    def _ready(self, process, log):
        """Waits for the start message; gives target and URL."""
        end = time.monotonic() + self.start_timeout
        while True:
            ended = process.poll() is not None
            text = log.read_text("utf-8", "replace")
            if found := _PORTS.search(text):
                return found.groups()
            if ended:
                raise RuntimeError(
                    f"Expected a server for {self.base_path}. Received: its process "
                    f"ended with status {process.returncode}:\n{text[-2000:]}"
                )
            if time.monotonic() > end:
                raise TimeoutError(
                    f"Expected a server for {self.base_path} within "
                    f"{self.start_timeout} s. Received:\n{text[-2000:]}"
                )
            time.sleep(0.05)


@contextlib.contextmanager
def _process(base_path, log):
    """The process of a server; its messages go to the file `log`."""
    command = [sys.executable, "-m", "kftune.export.stand_in_server", str(base_path)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port=0", "--rest-port=0", "--until-stdin-ends"],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(),
        )
    try:
        yield process
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main(argv=None):
    """Serve until the process is stopped."""
    parser = argparse.ArgumentParser(
        prog="python -m kftune.export.stand_in_server", description=__doc__
    )
    add = parser.add_argument
    add("base_path", type=Path, help="folder of the versions; its name is the model's")
    add("--port", type=int, default=8500, help="of gRPC; 0 takes a free one")
    add("--rest-port", type=int, default=8501, help="of REST; 0 takes a free one")
    add(
        "--until-stdin-ends",
        action="store_true",
        help="stop when the standard input is closed, as by the end of its writer",
    )
    arguments = parser.parse_args(argv)
    try:
        _serve(arguments)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        sys.exit(f"stand_in_server: {error}")


def _serve(arguments):
    # Before TensorFlow takes its time to start.
    version = find_version(arguments.base_path)
    from kftune.export.stand_in_grpc import grpc_server
    from kftune.export.stand_in_model import StandInModel
    from kftune.export.stand_in_rest import rest_server

    model = StandInModel(version)
    rest = rest_server(model, arguments.rest_port)
    server, port = grpc_server(model, arguments.port)
    ports = {"port": port, "rest_port": rest.server_port}
    print(_STARTED.format(name=model.name, version=model.version, **ports), flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        if arguments.until_stdin_ends:
            sys.stdin.read()
        else:
            server.wait_for_termination()
    rest.shutdown()
    server.stop(grace=None).wait()


if __name__ == "__main__":
    main()
