"""From an exported model to an answered request by each protocol."""

from pathlib import Path

from kftune.export.client import ServingClient
from kftune.export.docker_server import DockerServer
from kftune.export.stand_in_server import StandInServer


def serve_and_ask(base_path, ask, *, docker=False):
    """Starts a server of a model, asks it by gRPC and by REST, and stops it.

    Args:
        base_path: `str` or `Path`, the folder of the versions; its name is the model's.
        ask: function of a `ServingClient`.
        docker: `bool`. True: TensorFlow Serving in Docker, see `DockerServer`. False: a
            stand-in that is not TensorFlow Serving, see `StandInServer`.

    Returns:
        `dict` of what `ask` returned, by protocol: `"grpc"` and `"rest"`.

    Raises:
        As `ServingClient`, and `DockerServer` or `StandInServer`.

    Example:
    ```python
    serve_and_ask("serving/reviews", lambda client: client.labels("A treat."))
    # {"grpc": "positive", "rest": "positive"}
    ```
    """
    server = DockerServer if docker else StandInServer
    answers = {}
    with server(base_path) as running:
        targets = {"grpc": running.grpc_target, "rest": running.rest_url}
        for protocol, target in targets.items():
            name = Path(base_path).resolve().name
            with ServingClient(target, name, protocol=protocol) as client:
                answers[protocol] = ask(client)
    return answers
