"""Docker's commands are recorded; a small HTTP server stands for the container."""

import http.server
import json
import subprocess
import threading
from types import SimpleNamespace

import pytest

from kftune.export import DockerServer, docker_server


class Status(http.server.BaseHTTPRequestHandler):
    """Says the states of `server.states` one after the other, the last for ever."""

    def do_GET(self):
        states = self.server.states
        state = states.pop(0) if len(states) > 1 else states[0]
        body = json.dumps({"model_version_status": [{"version": "1", "state": state}]})
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Status)
    server.states = ["LOADING", "AVAILABLE"]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def model(tmp_path):
    (tmp_path / "reviews" / "1").mkdir(parents=True)
    (tmp_path / "reviews" / "1" / "saved_model.pb").touch()
    return tmp_path / "reviews"


@pytest.fixture
def docker(monkeypatch):
    """Docker's part: `.commands` it got, `.outputs` by subcommand, or exit status."""
    docker = SimpleNamespace(commands=[], outputs={"inspect": "true\n"})

    def run(command, **_):
        docker.commands.append(command)
        output = docker.outputs.get(command[1], "")
        status = 0 if isinstance(output, str) else 125
        text = output if isinstance(output, str) else output["fails"]
        return subprocess.CompletedProcess(command, status, text)

    monkeypatch.setattr(docker_server.subprocess, "run", run)
    monkeypatch.setattr(docker_server.shutil, "which", lambda _: "/usr/bin/docker")
    monkeypatch.setattr(docker_server.time, "sleep", lambda _: None)
    return docker


def test_the_command_is_that_of_the_documentation(docker, model, server):
    with DockerServer(model, port=8600, rest_port=server.server_port) as running:
        assert running.grpc_target == "127.0.0.1:8600"
        assert running.rest_url == f"http://127.0.0.1:{server.server_port}"
        name = docker.commands[0][4]
        expected = (
            f"docker run --detach --name {name} -p 127.0.0.1:8600:8500 "
            f"-p 127.0.0.1:{server.server_port}:8501 -v {model}:/models/reviews:ro "
            "-e MODEL_NAME=reviews tensorflow/serving:2.20.0"
        )
        assert docker.commands[0] == expected.split()
        assert server.states == ["AVAILABLE"]
        assert not any(command[1] == "rm" for command in docker.commands)
    assert docker.commands[-1] == ["docker", "rm", "--force", name]


def test_what_docker_cannot_do_is_told_and_nothing_stays(docker, model, server):
    def start(match, kind=RuntimeError, **options):
        with (
            pytest.raises(kind, match=match),
            DockerServer(model, rest_port=server.server_port, **options),
        ):
            pass
        assert docker.commands[-1][:3] == ["docker", "rm", "--force"]

    server.states = ["LOADING"]
    start("loaded within 0 s. Received: {1: 'LOADING'}", TimeoutError, start_timeout=0)
    docker.outputs |= {"inspect": "false\n", "logs": "no such op"}
    start("its container ended:\nno such op")
    docker.outputs["run"] = {"fails": "Cannot connect to the Docker daemon"}
    start("docker run to succeed. Received: status 125: Cannot connect to the Docker")


def test_without_docker_the_stand_in_is_named(monkeypatch, model, tmp_path):
    monkeypatch.setattr(docker_server.shutil, "which", lambda _: None)
    with pytest.raises(FileNotFoundError, match="command docker.*StandInServer"):
        DockerServer(model).__enter__()
    with pytest.raises(FileNotFoundError, match="no saved_model.pb"):
        DockerServer(tmp_path).__enter__()
