"""Translations out of gettext catalogues (`.po`)."""

import tempfile
from pathlib import Path

import polib
from datasets import Dataset

from kftune.data.text_lines import numbered_lines


def read_po(path, encoding="utf-8"):
    """Reads the finished translations of a gettext catalogue.

    Entries that are fuzzy, obsolete or untranslated are left out and counted in a
    printed line. An entry with plural forms gives two rows: its singular with the first
    form and its plural with the last one; languages that have only one form give the
    plural alone.

    Args:
        path: `Path`. Unpacked if it ends with `.gz`, `.xz` or `.bz2`.
        encoding: `str`.

    Returns:
        `datasets.Dataset` with the columns `source`, `target` and `context` (`""` for
        entries without one), all strings.

    Raises:
        ValueError: if the file is no catalogue or holds no finished translation.
    """
    entries = parse_catalogue(path, encoding)
    finished = [entry for entry in entries if entry.translated()]
    if not finished:
        raise ValueError(
            f"{path}: expected finished translations. Received: {len(entries)} "
            "entries, all of them fuzzy, obsolete or untranslated."
        )
    if len(finished) < len(entries):
        left_out = len(entries) - len(finished)
        print(f"{path}: left out {left_out} fuzzy, obsolete or untranslated entries")
    return Dataset.from_list([row for entry in finished for row in entry_rows(entry)])


def parse_catalogue(path, encoding="utf-8"):
    """Reads the entries of a catalogue.

    Args:
        path: `Path`, as for `read_po`.
        encoding: `str`.

    Returns:
        `polib.POFile`, a list of entries.

    Raises:
        ValueError: if the file is no catalogue.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Given a text, polib would also split it at characters such as U+2028.
        copy = Path(folder, "copy.po")
        with copy.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for _, line in numbered_lines(path, encoding))
        try:
            return polib.pofile(str(copy), encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = str(error).replace(str(copy), path.name)
            raise ValueError(
                f"{path}: expected a gettext catalogue. Received: {reason}"
            ) from None


def entry_rows(entry):
    """Makes rows of a finished entry: one, or up to two if it has plural forms.

    Args:
        entry: `polib.POEntry`.

    Returns:
        List of `dict` of `source`, `target` and `context`.
    """
    pairs = [(entry.msgid, entry.msgstr)]
    if entry.msgid_plural:
        forms = [entry.msgstr_plural[i] for i in sorted(entry.msgstr_plural)]
        pairs = [(entry.msgid, forms[0]), (entry.msgid_plural, forms[-1])]
        pairs = pairs[-len(forms) :]
    context = entry.msgctxt or ""
    return [{"source": s, "target": t, "context": context} for s, t in pairs]
