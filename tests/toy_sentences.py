"""A toy language pair that a small model learns in seconds."""

import random

_ADJECTIVES = {"red": "rote", "blue": "blaue", "old": "alte", "big": "große"}
_NOUNS = {
    "cat": "Katze",
    "bee": "Biene",
    "cow": "Kuh",
    "fly": "Fliege",
    "owl": "Eule",
}
_VERBS = {"sees": "sieht", "hears": "hört", "finds": "findet", "seeks": "sucht"}
_KINDS = (_ADJECTIVES, _NOUNS, _VERBS, _ADJECTIVES, _NOUNS)
_PATTERNS = ("the {} {} {} a {} {}", "die {} {} {} eine {} {}")


def toy_sentences(number, seed):
    """Pairs of an English and a German sentence of one pattern; some come twice."""
    rng = random.Random(seed)
    chosen = [[rng.choice([*kind.items()]) for kind in _KINDS] for _ in range(number)]
    return [
        tuple(
            pattern.format(*(word[side] for word in words))
            for side, pattern in enumerate(_PATTERNS)
        )
        for words in chosen
    ]
