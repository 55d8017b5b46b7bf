import io
import json
import sys
import types

import pytest

import kftune
from kftune.cli.main import main
from kftune.decoding import BeamSearch, Sampling, generate_texts

OPTIONS = {"temperature": 0.8, "top_p": 0.95, "seed": 3}
ARGUMENTS = ["--max-new-tokens", "6", "--seed", "3"]


def run(capsysbinary, folder, *argv):
    status = main(["generate", "--model", str(folder), *ARGUMENTS, *map(str, argv)])
    out, err = capsysbinary.readouterr()
    return status, out.decode("utf-8"), err.decode("utf-8")


def as_options(values):
    """Options of the command line."""
    pairs = ((f"--{name.replace('_', '-')}", value) for name, value in values.items())
    return [part for pair in pairs for part in pair]


def expected(folder, prompts, **options):
    task = kftune.models.GPT2CausalLM.from_preset(folder)
    task.compile(sampler=Sampling(**{**OPTIONS, **options}))
    return generate_texts(task, prompts, max_new_tokens=6)


@pytest.mark.long
def test_lines_are_gone_on_with_in_their_order(tmp_path, capsysbinary, folder):
    path = tmp_path / "prompts.txt"
    path.write_text("The film\n\nA slow and quiet story that\n", "utf-8")
    status, out, err = run(capsysbinary, folder, path)
    first, last = expected(folder, ["The film", "A slow and quiet story that"])
    assert status == 0
    assert out.split("\n") == [
        first.replace("\n", " "),
        "",
        last.replace("\n", " "),
        "",
    ]
    assert "lines 1 to 3: 2 of 2" in err


@pytest.mark.long
def test_json_lines_keep_what_they_have(monkeypatch, capsysbinary, folder):
    rows = [{"id": 7, "prompt": "Ein Café"}, {"prompt": "The film", "tags": ["é"]}]
    raw = "\n".join(json.dumps(row) for row in rows).encode()
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(raw)))
    status, out, _ = run(capsysbinary, folder, "--jsonl")
    texts = expected(folder, [row["prompt"] for row in rows])
    assert status == 0
    received = [json.loads(line) for line in out.splitlines()]
    assert received == [
        {**row, "completion": text} for row, text in zip(rows, texts, strict=True)
    ]


@pytest.mark.long
def test_what_a_line_has_is_not_overwritten(tmp_path, capsysbinary, folder):
    path = tmp_path / "prompts.jsonl"
    row = {"prompt": "The film", "completion": " is good."}
    path.write_text(json.dumps({"prompt": "A"}) + "\n" + json.dumps(row), "utf-8")
    status, out, err = run(capsysbinary, folder, path, "--jsonl")
    assert (status, out) == (1, "")
    assert "no 'completion' in line 2" in err
    options = ("--jsonl", "--completion-key", "written")
    status, out, _ = run(capsysbinary, folder, path, *options)
    texts = expected(folder, ["A", "The film"])
    received = [json.loads(line) for line in out.splitlines()]
    assert received == [
        {"prompt": "A", "written": texts[0]},
        {**row, "written": texts[1]},
    ]


def test_a_wrong_line_is_found_before_anything_is_generated(
    tmp_path, capsysbinary, folder, monkeypatch
):
    monkeypatch.setattr("kftune.cli.generate._LINES_AT_ONCE", 1)
    path = tmp_path / "prompts.txt"
    path.write_text("The film\n" + "very " * 100 + "\n", "utf-8")
    status, out, err = run(capsysbinary, folder, path)
    assert (status, out) == (1, "")
    assert "longer ones at line 2" in err and "1 of 1" not in err


@pytest.mark.long
def test_options_reach_the_sampler(tmp_path, capsysbinary, folder):
    path = tmp_path / "prompts.txt"
    path.write_text("The film\n", "utf-8")
    rules = {"repetition_penalty": 2.0, "no_repeat_ngram_size": 1}
    chosen = {"temperature": 0.7, "top_k": 4, "min_p": 0.05, **rules}
    (text,) = expected(folder, ["The film"], **chosen)
    _, out, _ = run(capsysbinary, folder, path, *as_options(chosen))
    assert out == text.replace("\n", " ") + "\n"


@pytest.mark.long
def test_a_search_takes_the_rules_and_no_chances(tmp_path, capsysbinary, folder):
    path = tmp_path / "prompts.txt"
    path.write_text("The film\n", "utf-8")
    rules = {"num_beams": 3, "repetition_penalty": 2.0, "no_repeat_ngram_size": 1}
    task = kftune.models.GPT2CausalLM.from_preset(folder)
    task.compile(sampler=BeamSearch(**rules))
    (text,) = generate_texts(task, ["The film"], max_new_tokens=6)
    argv = ["generate", "--model", folder, "--max-new-tokens", 6, *as_options(rules)]
    assert main([*map(str, argv), str(path)]) == 0
    assert capsysbinary.readouterr().out.decode() == text.replace("\n", " ") + "\n"
    status, _, err = run(capsysbinary, folder, path, *as_options(rules), "--top-k", 4)
    assert status == 1 and "--num-beams or --seed, --top-k" in err


@pytest.mark.long
def test_texts_end_before_a_stop_string(tmp_path, capsysbinary, folder):
    path = tmp_path / "prompts.txt"
    path.write_text("The film\n", "utf-8")
    (text,) = expected(folder, ["The film"])
    _, out, _ = run(capsysbinary, folder, path, "--stop", text[4:6])
    assert out == text.split(text[4:6])[0].replace("\n", " ") + "\n"


@pytest.mark.long
def test_a_file_is_written_whole(tmp_path, capsysbinary, folder):
    path, output = tmp_path / "prompts.txt", tmp_path / "out.txt"
    path.write_text("The film\n" + "very " * 100 + "\n", "utf-8")
    status, _, err = run(capsysbinary, folder, path, "--output", output)
    assert status == 1
    assert "longer ones at line 2" in err
    assert not output.exists()
    status, _, _ = run(
        capsysbinary, folder, path, "--output", output, "--long-prompts", "window"
    )
    assert status == 0
    assert len(output.read_text("utf-8").splitlines()) == 2


WRONG_LINES = ["{", "[1]", '{"text": "A"}', '{"prompt": 3}', '{"prompt": "", "a": NaN}']
WRONG_LINES.append('{"prompt": "", "a": 1e999}')


@pytest.mark.parametrize("line", WRONG_LINES)
def test_what_is_no_prompt_is_refused(tmp_path, capsysbinary, folder, line):
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": "A"}\n' + line + "\n", "utf-8")
    status, out, err = run(capsysbinary, folder, path, "--jsonl")
    assert (status, out) == (1, "")
    assert "in line 2" in err
    other = tmp_path / "others.jsonl"
    other.write_text('{"prompt": "A"}\n', "utf-8")
    _, _, err = run(capsysbinary, folder, other, path, "--jsonl")
    assert f"in line 2 of {path}" in err


def test_settings_that_do_not_fit_are_named(capsysbinary, folder):
    status, _, err = run(capsysbinary, folder, "--top-p", "2")
    assert status == 1
    assert "top_p as a number above 0, 1 at most, not 2.0" in err


def test_a_folder_is_no_output(tmp_path, capsysbinary, folder):
    path = tmp_path / "prompts.txt"
    path.write_text("The film\n", "utf-8")
    status, _, err = run(capsysbinary, folder, path, "--output", tmp_path)
    assert status == 1 and f"Received a folder: {tmp_path}" in err


@pytest.mark.long
def test_half_a_character_in_json_loses_nothing(tmp_path, capsysbinary, folder):
    path = tmp_path / "prompts.jsonl"
    lines = ['{"prompt": "The film", "id": "\\ud83d"}', '{"prompt": "a\\ud83d"}']
    path.write_text("\n".join(lines) + "\n", "utf-8")
    status, out, _ = run(capsysbinary, folder, path, "--jsonl")
    assert status == 0 and '"id": "?"' in out
    assert len(out.splitlines()) == 2
