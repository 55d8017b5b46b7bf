"""Which language a text is in."""

import functools

from py3langid.langid import MODEL_FILE, LanguageIdentifier

# Short texts rarely reach the first, and pass. The second lets English pass for which
# Pidgin is a little more probable, and German beside Luxembourgish.
_SURE, _TIMES = 0.5, 10


def is_other_language(text, language):
    """Tells whether a text is rather surely in another language.

    Args:
        text: `str`.
        language: `str`. The code of py3langid that it should have, such as `"de"`.

    Returns:
        `bool`. True if another language has a probability above one half, and ten
        times that of this one.
    """
    guess, probability = _identifier().classify(text)
    if guess == language or probability <= _SURE:
        return False
    return probability > _TIMES * dict(_identifier().rank(text))[language]


def detect_language(text, languages):
    """Tells which of some languages a text is most probably in.

    Args:
        text: `str`. A short or mixed one may be told wrong.
        languages: sequence of `str`, codes of py3langid such as `"de"`.

    Returns:
        `str`, one of them.

    Raises:
        ValueError: if one is not known, or there is none; lists those that are.

    Example:
    ```python
    detect_language("Wo ist meine Karte?", ["en", "de"])  # "de"
    ```
    """
    check_languages(languages)
    if not languages:
        raise ValueError("Expected languages to choose among. Received: none")
    ranks = dict(_identifier().rank(text))
    return max(languages, key=ranks.__getitem__)


def check_languages(languages):
    """Checks that languages are known.

    Args:
        languages: sequence of `str`.

    Raises:
        ValueError: if one is not; lists those that are.
    """
    known = sorted(_identifier().labels)
    if unknown := [code for code in languages if code not in known]:
        raise ValueError(
            f"Expected languages among {', '.join(known)}. Received: {unknown}"
        )


@functools.cache
def _identifier():
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
