import subprocess
import sys

MIB = 2**20


def run_python(script):
    script = f"from kftune.peak_memory import peak_memory\n{script}"
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(run.stdout)


def test_what_was_given_back_counts():
    script = "held = b'1' * 300 * 2**20; del held; print(peak_memory())"
    assert 300 * MIB <= run_python(script) < 600 * MIB


def test_what_the_process_that_started_this_one_held_does_not_count():
    held = b"1" * 300 * MIB
    assert MIB < run_python("print(peak_memory())") < len(held)
