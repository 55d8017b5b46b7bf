"""Which language a text is in."""

import functools

from py3langid.langid import MODEL_FILE, LanguageIdentifier

# Short texts rarely reach it, whatever their language, and so they pass.
_SURE = 0.5


def is_other_language(text, language):
    """Tells whether a text is rather surely in another language.

    Args:
        text: `str`.
        language: `str`. The code of py3langid that it should have, such as `"de"`.

    Returns:
        `bool`. True if another language has a probability above one half.
    """
    guess, probability = _identifier().classify(text)
    return guess != language and probability > _SURE


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
