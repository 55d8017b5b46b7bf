"""TensorFlow Serving itself, in a Docker container, for a `with` block."""

import contextlib
import secrets
import shutil
import subprocess
import time
from pathlib import Path

from kftune.export.checks.version_files import find_version
from kftune.export.client import ServingClient

IMAGE = "tensorflow/serving:2.20.0"


class DockerServer:
    """A model in TensorFlow Serving's own image; the container ends with the block.

    Args:
        base_path: `str` or `Path`, the folder of the versions; its name is the model's.
        image: `str`, which Docker downloads if it is not there.
        port: `int`, of gRPC, on the loopback interface.
        rest_port: `int`, of REST.
        start_timeout: `float`, seconds, in which the model must be loaded, after the
            image was downloaded.

    Attributes:
        grpc_target: `str`, `"127.0.0.1:<port>"`.
        rest_url: `str`, `"http://127.0.0.1:<rest_port>"`.

    Raises:
        FileNotFoundError: if there is no docker command, or no version under
            `base_path`.
        RuntimeError: if docker fails, as when its daemon does not run or a port is
            taken, or the server ends; with what it wrote last.
        TimeoutError: if the model was not loaded in time.

    Example:
    ```python
    with (
        DockerServer("serving/reviews") as server,
        ServingClient(server.grpc_target, "reviews") as client,
    ):
        client.labels("A treat.")
    ```
    """

    def __init__(
        self, base_path, image=IMAGE, *, port=8500, rest_port=8501, start_timeout=300.0
    ):
        self.base_path = Path(base_path).resolve()
        self.image = image
        self.start_timeout = start_timeout
        self.grpc_target = f"127.0.0.1:{port}"
        self.rest_url = f"http://127.0.0.1:{rest_port}"
        self._container = f"kftune-{secrets.token_hex(6)}"
        self._closing = contextlib.ExitStack()

    def __enter__(self):
        find_version(self.base_path)
        if shutil.which("docker") is None:
            raise FileNotFoundError(
                "Expected the command docker. Received: no such command. Install "
                "Docker, or use the stand-in, kftune.export.StandInServer."
            )
        with contextlib.ExitStack() as stack:
            # A container whose start failed is there, too.
            stack.callback(_docker, "rm", "--force", self._container, check=False)
            _docker(*self._run_command())
            self._wait()
            self._closing = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._closing.close()

    def _run_command(self):
        model = self.base_path.name
        return (
            *("run", "--detach", "--name", self._container),
            *("-p", f"{self.grpc_target}:8500"),
            *("-p", f"{self.rest_url.removeprefix('http://')}:8501"),
            *("-v", f"{self.base_path}:/models/{model}:ro"),
            *("-e", f"MODEL_NAME={model}"),
            self.image,
        )

    def _wait(self):
        """Waits until the model is loaded."""
        end = time.monotonic() + self.start_timeout
        client = ServingClient(
            self.rest_url, self.base_path.name, protocol="rest", retries=0, timeout=5
        )
        while True:
            try:
                state = client.status()
            except (ConnectionError, TimeoutError, LookupError) as error:
                state = error
            if isinstance(state, dict) and "AVAILABLE" in state.values():
                return
            inspected = ("inspect", "-f", "{{.State.Running}}", self._container)
            if _docker(*inspected).strip() != "true":
                raise RuntimeError(
                    "Expected a server. Received: its container ended:\n"
                    f"{_docker('logs', '--tail', '20', self._container)}"
                )
            if time.monotonic() > end:
                raise TimeoutError(
                    f"Expected {self.base_path} to be loaded within "
                    f"{self.start_timeout} s. Received: {state}"
                )
            time.sleep(0.2)


def _docker(*arguments, check=True):
    """What a docker command wrote."""
    done = subprocess.run(
        ["docker", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if check and done.returncode:
        raise RuntimeError(
            f"Expected docker {arguments[0]} to succeed. Received: status "
            f"{done.returncode}: {done.stdout.strip()[-1000:]}"
        )
    return done.stdout
