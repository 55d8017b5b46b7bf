import pytest

from kftune.data.gettext_catalogue import read_po

CATALOGUE = r"""
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"

#: a.py:1
msgid "Open"
msgstr "Öffnen"

msgctxt "adjective"
msgid "Open"
msgstr "Offen"

msgid ""
"two\n"
"lines \"quoted\""
msgstr "zwei\nZeilen „zitiert“"

#, fuzzy
msgid "Close"
msgstr "Schluss"

msgid "New"
msgstr ""

msgid "one file"
msgid_plural "%d files"
msgstr[0] "eine Datei"
msgstr[1] "%d Dateien"

#~ msgid "Old"
#~ msgstr "Alt"
"""


def test_finished_translations_are_read_and_the_others_counted(write, capsys):
    path = write("de.po", CATALOGUE)
    assert read_po(path).to_list() == [
        {"source": "Open", "target": "Öffnen", "context": ""},
        {"source": "Open", "target": "Offen", "context": "adjective"},
        {
            "source": 'two\nlines "quoted"',
            "target": "zwei\nZeilen „zitiert“",
            "context": "",
        },
        {"source": "one file", "target": "eine Datei", "context": ""},
        {"source": "%d files", "target": "%d Dateien", "context": ""},
    ]
    assert f"{path}: left out 3 " in capsys.readouterr().out


def test_a_language_with_one_form_gives_the_plural(write):
    text = 'msgid "one file"\nmsgid_plural "%d files"\nmsgstr[0] "%d ファイル"\n'
    (row,) = read_po(write("ja.po", text)).to_list()
    assert row == {"source": "%d files", "target": "%d ファイル", "context": ""}


def test_three_forms_give_the_first_and_the_last(write):
    text = 'msgid "a"\nmsgid_plural "b"\n' + "".join(
        f'msgstr[{i}] "{form}"\n' for i, form in enumerate("xyz")
    )
    rows = read_po(write("pl.po", text))
    assert list(zip(rows["source"], rows["target"], strict=True)) == [
        ("a", "x"),
        ("b", "z"),
    ]


def test_separators_inside_a_text_do_not_split_it(write):
    path = write("a.po", 'msgid "a\u2028b"\r\nmsgstr "c\x85d"\r\n')
    assert read_po(path)[0] == {"source": "a\u2028b", "target": "c\x85d", "context": ""}


def test_a_syntax_error_is_shown_with_file_and_line(write):
    path = write("a.po", 'msgid "a"\nmsgstr "b"\n\nmsgidd "c"\n')
    with pytest.raises(ValueError, match=r"gettext.*line 4") as error:
        read_po(path)
    assert str(path) in str(error.value)


def test_a_catalogue_without_translations_is_an_error(write):
    with pytest.raises(ValueError, match="Received: 1 entries"):
        read_po(write("a.po", 'msgid "a"\nmsgstr ""\n'))


def test_another_encoding_is_an_error_until_it_is_named(write):
    path = write("a.po", 'msgid "a"\nmsgstr "é"\n'.encode("latin-1"))
    with pytest.raises(ValueError, match=r"line 2.*0xe9"):
        read_po(path)
    assert read_po(path, "latin-1")["target"][:] == ["é"]
