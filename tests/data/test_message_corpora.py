import dataclasses
import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from kftune import wheels
from kftune.data import read, split
from kftune.data.message_corpora import MESSAGE_CORPORA

pytestmark = pytest.mark.usefixtures("own_cache")

DJANGO = {
    "conf/locale/de/LC_MESSAGES/django.po": r"""
msgctxt "adjective"
msgid "Open"
msgstr "Offen"

msgid "%(n)s file"
msgid_plural "%(n)s files"
msgstr[0] "%(n)s Datei"
msgstr[1] "%(n)s Dateien"

#, fuzzy
msgid "Close"
msgstr "Schluss"
""",
    "contrib/admin/locale/de/LC_MESSAGES/djangojs.po": """
msgid "save"
msgstr "sichern"
""",
    "conf/locale/de/LC_MESSAGES/django.mo": "not asked for",
    "conf/locale/fr/LC_MESSAGES/django.po": 'msgid "Open"\nmsgstr "Ouvrir"\n',
}
PLONE = {
    "de/LC_MESSAGES/plone.po": r"""
#. Default: "Save as \"${name}\"\n"
msgid "label_save_as"
msgstr "Als „${name}“ sichern"

#. How a date is written.
#. Default: "mm/dd"
msgid "date_format"
msgstr "dd.mm."

#. Default: ""
#. "<p>"
#. " Hello</p>"
msgid "front-text"
msgstr "<p>Hallo</p>"

#: interfaces.py
msgid "Always"
msgstr "Immer"

msgid "a few words"
msgstr "ein paar Wörter"

msgid "add_date"
msgstr "Termin hinzufügen"

msgid "plone.app.event"
msgstr "Termine"

#. Default: ""
msgid "Nothing"
msgstr "Nichts"

#. Default: "Still to do"
msgid "label_to_do"
msgstr ""
"""
}
PREFIXES = {"django": "django/", "plone": "plone/app/locales/locales/"}


@pytest.fixture
def small_wheels(tmp_path, monkeypatch):
    """Hand-made wheels in place of the real ones; gives the requests to pip."""
    calls = []
    for name, files in (("django", DJANGO), ("plone", PLONE)):
        path = tmp_path / f"{name}.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for member, text in files.items():
                archive.writestr(PREFIXES[name] + member, text)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        corpus = dataclasses.replace(MESSAGE_CORPORA[name], sha256=digest)
        monkeypatch.setitem(MESSAGE_CORPORA, name, corpus)

    def run(command, **_):
        name = "plone" if "plone" in command[-1] else "django"
        calls.append(command[-1])
        target = Path(command[command.index("--dest") + 1], f"{name}.whl")
        target.write_bytes((tmp_path / f"{name}.whl").read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(wheels.subprocess, "run", run)
    return calls


@pytest.mark.usefixtures("small_wheels")
def test_django_gives_the_messages_of_all_its_catalogues(capsys):
    files = {"context": "", "group": "%(n)s file"}
    assert read("django", language="de").to_list() == [
        {"source": "Open", "target": "Offen", "context": "adjective", "group": "open"},
        {"source": "%(n)s file", "target": "%(n)s Datei", **files},
        {"source": "%(n)s files", "target": "%(n)s Dateien", **files},
        {"source": "save", "target": "sichern", "context": "", "group": "save"},
    ]
    assert "3 messages; left out 1 unfinished, 0 without" in capsys.readouterr().out


@pytest.mark.usefixtures("small_wheels")
def test_plone_gives_the_text_behind_an_identifier(capsys):
    rows = read("plone", language="de")
    assert dict(zip(rows["source"], rows["target"], strict=True)) == {
        'Save as "${name}"\n': "Als „${name}“ sichern",
        "mm/dd": "dd.mm.",
        "<p> Hello</p>": "<p>Hallo</p>",
        "Always": "Immer",
        "a few words": "ein paar Wörter",
    }
    assert rows["group"][0] == 'save as "${name}"'
    assert "5 messages; left out 1 unfinished, 3 without" in capsys.readouterr().out


def test_each_language_is_fetched_once_and_alone(small_wheels, own_cache):
    for _ in range(2):
        read("django", language="de")
    assert read("django", language="fr")["target"][:] == ["Ouvrir"]
    read("django", language="de")
    assert small_wheels == ["django==5.2.19"] * 2
    kept = [path.name for path in own_cache.rglob("*.*o")]
    assert sorted(kept) == ["django.po", "django.po", "djangojs.po"]


@pytest.mark.parametrize("language", [None, "", "tlh", "../de", "*"])
def test_unknown_languages_never_become_paths(small_wheels, own_cache, language):
    with pytest.raises(ValueError, match=r"of 'plone': af, ar, .*zh_TW\. Rec") as error:
        read("plone", language=language)
    assert str(error.value).endswith(f"Received: {language!r}")
    assert small_wheels == []
    assert not own_cache.exists()


def test_other_sources_take_no_language(write):
    with pytest.raises(ValueError, match=r"django.*'de' with 'python_docs'"):
        read("python_docs", language="de")
    path = write("a.po", 'msgid "a"\nmsgstr "b"\n')
    with pytest.raises(ValueError, match=r"django.*'de' with .*a\.po"):
        read(path, language="de")


@pytest.mark.usefixtures("small_wheels")
def test_no_message_stands_on_both_sides_of_a_split():
    rows = read("django", language="de")
    for seed in range(9):
        parts = split(rows, validation=0, test=0.5, seed=seed)
        groups = [set(part["group"]) for part in parts.values()]
        assert not groups[0] & groups[1]
        assert sum(map(len, groups)) == 3


@pytest.mark.large
@pytest.mark.parametrize(
    ("name", "language", "count"),
    [("django", "de", 963), ("plone", "de", 3446), ("plone", "fr", 3514)],
)
def test_the_real_catalogues_have_as_many_rows(name, language, count):
    rows = read(name, language=language)
    assert len(rows) == count
    assert "label_" not in " ".join(rows["source"])
