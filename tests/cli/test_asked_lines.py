import io
import sys
import types

from kftune.cli.asked_lines import asked_lines


def typed(monkeypatch, raw, is_terminal):
    stdin = types.SimpleNamespace(buffer=io.BytesIO(raw), isatty=lambda: is_terminal)
    monkeypatch.setattr(sys, "stdin", stdin)


def test_a_blank_line_ends(monkeypatch, capsys):
    typed(monkeypatch, "Ein Café\r\nb\n  \nc\n".encode(), is_terminal=False)
    assert list(asked_lines("> ")) == ["Ein Café", "b"]
    assert capsys.readouterr().out == ""


def test_a_person_is_asked_for_each(monkeypatch, capsys):
    typed(monkeypatch, b"a\nb", is_terminal=True)
    assert list(asked_lines("> ")) == ["a", "b"]
    assert capsys.readouterr().out == "> > > "
