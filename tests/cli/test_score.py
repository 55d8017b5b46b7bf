import gzip

import pytest
import sacrebleu

from kftune.cli.main import main

REFERENCES = [f"Der Hund Nummer {i} läuft durch den Park." for i in range(12)]
OTHERS = ["Hund 0 rennt durch den Park.", *[""] * 11]
NEW = [text.replace("läuft", "geht") for text in REFERENCES]
OLD = [text.replace("Park", "Wald").lower() for text in NEW]


@pytest.fixture
def paths(tmp_path):
    found = {}
    texts = {"ref": REFERENCES, "others": OTHERS, "new": NEW, "old": OLD}
    for name, lines in texts.items():
        found[name] = str(tmp_path / name)
        (tmp_path / name).write_text("\n".join(lines) + "\n", "utf-8")
    return found


def run(capsys, *argv):
    status = main(["score", *argv])
    out, err = capsys.readouterr()
    return status, out.splitlines(), err


def test_a_line_a_metric_with_sacrebleus_signature(paths, capsys):
    status, lines, _ = run(capsys, paths["new"], "--reference", paths["ref"])
    assert status == 0
    assert [line.split("|")[0] for line in lines] == ["BLEU", "chrF2", "TER"]
    score = sacrebleu.corpus_bleu(NEW, [REFERENCES])
    assert f"|version:{sacrebleu.__version__} = {score.score:.2f} " in lines[0]


def test_options_and_several_references(paths, capsys):
    argv = [paths["old"], "--reference", paths["ref"], "--reference", paths["others"]]
    _, lines, _ = run(capsys, *argv, "--metrics", "bleu", "--lowercase")
    streams = [REFERENCES, [text or None for text in OTHERS]]
    score = sacrebleu.corpus_bleu(OLD, streams, lowercase=True)
    assert len(lines) == 1 and lines[0].startswith("BLEU|nrefs:var|case:lc|")
    assert f" = {score.score:.2f} " in lines[0]
    _, lines, _ = run(capsys, *argv, "--metrics=bleu", "--tokenize=char")
    assert "|tok:char|" in lines[0]


def test_sentences_are_a_table(paths, capsys):
    argv = [paths["new"], "--reference", paths["ref"], "--metrics", "chrf,bleu"]
    _, lines, _ = run(capsys, *argv, "--sentences")
    assert lines[0] == "line\tchrf\tbleu" and len(lines) == 1 + len(NEW)
    chrf = sacrebleu.sentence_chrf(NEW[4], [REFERENCES[4]]).score
    bleu = sacrebleu.sentence_bleu(NEW[4], [REFERENCES[4]]).score
    assert lines[5] == f"5\t{chrf:.2f}\t{bleu:.2f}"


@pytest.mark.parametrize(
    ("test", "code"), [("bootstrap", "bs"), ("randomisation", "ar")]
)
def test_several_systems_are_compared(paths, capsys, test, code):
    argv = [paths["old"], paths["new"], "--reference", paths["ref"]]
    options = ["--metrics", "bleu", "--test", test, "--samples", "100"]
    _, lines, _ = run(capsys, *argv, *options)
    scores = [sacrebleu.corpus_bleu(texts, [REFERENCES]).score for texts in (OLD, NEW)]
    for line, name, score in zip(lines, ("old", "new"), scores, strict=False):
        assert line.startswith(f"{paths[name]}\tbleu\t{score:.2f}")
    assert lines[1].endswith(f"p = {1 / 101:.4f}")
    assert f"|{code}:100|seed:12345|" in lines[2]


def test_packed_files_are_read(paths, capsys, tmp_path):
    packed = tmp_path / "new.gz"
    packed.write_bytes(gzip.compress("\n".join(NEW).encode()))
    expected = run(capsys, paths["new"], "--reference", paths["ref"])
    assert run(capsys, str(packed), "--reference", paths["ref"]) == expected


def test_what_is_wrong_is_a_message_and_status_1(paths, capsys, tmp_path):
    short = tmp_path / "short"
    short.write_text("\n".join(REFERENCES[:5]), "utf-8")
    status, lines, err = run(capsys, paths["new"], "--reference", str(short))
    assert (status, lines) == (1, [])
    assert f"as in {short}: 5. Received: {{'{paths['new']}': 12}}" in err
    argv = [paths["new"], "--reference", paths["ref"], "--reference", str(short)]
    status, _, err = run(capsys, *argv)
    assert status == 1 and f"{paths['ref']}: 12, {short}: 5" in err
    status, _, err = run(capsys, paths["new"], "--reference", paths["others"])
    assert status == 1 and "blank ones at index 1, 2, 3, 4, 5, … (11 in all)" in err
    (tmp_path / "latin").write_bytes("Häuser\n".encode("latin-1"))
    status, _, err = run(capsys, str(tmp_path / "latin"), "--reference", paths["ref"])
    assert status == 1 and "byte 0xe4 after 'H'" in err


def test_options_that_would_be_ignored_are_refused(paths, capsys):
    argv = [paths["old"], paths["new"], "--reference", paths["ref"], "--sentences"]
    status, _, err = run(capsys, *argv)
    assert status == 1 and "Expected one file with --sentences" in err
    argv = [paths["new"], "--reference", paths["ref"], "--samples", "9"]
    status, _, err = run(capsys, *argv, "--test", "bootstrap")
    assert status == 1 and "several files with --test and --samples" in err


def test_files_are_named_in_what_is_wrong(paths, capsys, tmp_path):
    (tmp_path / "empty").touch()
    for argv, message in [
        ([paths["new"]] * 2, rf"Received: ['{paths['new']}'] more than once"),
        ([paths["new"], str(tmp_path / "nowhere")], "Missing: ['"),
        ([str(tmp_path)], f"Received: folders ['{tmp_path}']"),
        ([str(tmp_path / "empty")], f"as in {paths['ref']}: 12. Received: {{'"),
    ]:
        status, lines, error = run(capsys, *argv, "--reference", paths["ref"])
        assert (status, lines) == (1, [])
        assert message in error
