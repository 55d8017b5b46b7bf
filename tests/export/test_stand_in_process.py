"""The process of a stand-in server begins and ends: TensorFlow starts anew in each."""

import os
import subprocess
import sys
import time

import pytest

import kftune
from kftune.export import ServingClient, StandInServer, serve_and_ask
from kftune.export.checks.processes import environment


@pytest.mark.slow
def test_a_server_that_cannot_load_says_why(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_text("none")
    with (
        pytest.raises(RuntimeError, match=r"status 1:(.|\n)*saved_model\.pb"),
        StandInServer(tmp_path),
    ):
        pass


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_the_process_ends_with_the_block_also_on_errors(toy_model):
    with pytest.raises(KeyError), StandInServer(toy_model) as server:
        assert is_running(server.pid)
        raise KeyError
    assert not is_running(server.pid)
    client = ServingClient(server.rest_url, "toy", protocol="rest", retries=0)
    with pytest.raises(ConnectionError, match="refused"):
        client.status()


@pytest.mark.long
def test_the_process_ends_with_the_one_that_started_it(toy_model):
    code = (
        "import os, sys; from kftune.export import StandInServer\n"
        "server = StandInServer(sys.argv[1]).__enter__()\n"
        "print(server.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", code, str(toy_model)]
    killed = subprocess.run(
        command, env=environment(), stdout=subprocess.PIPE, text=True, check=False
    )
    end = time.monotonic() + 30
    while is_running(int(killed.stdout)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not is_running(int(killed.stdout))


@pytest.mark.long
def test_a_model_is_asked_by_both_protocols(toy_model):
    clients = []

    def ask(client):
        clients.append(client)
        return client.labels(["a", "b"])

    assert kftune.export.serve_and_ask is serve_and_ask  # Not a module of that name.
    answers = kftune.export.serve_and_ask(toy_model, ask)
    assert answers == {"grpc": ["A", "B"], "rest": ["A", "B"]}
    assert len(clients) == 2
