"""A language of a few words and one pattern, which a tiny model learns."""

import random

import keras

import kftune

ADJECTIVES = {"red": "rote", "blue": "blaue", "old": "alte", "big": "große"}
NOUNS = {"cat": "Katze", "bee": "Biene", "cow": "Kuh", "fly": "Fliege", "owl": "Eule"}
VERBS = {"sees": "sieht", "hears": "hört", "finds": "findet", "seeks": "sucht"}


def write_pairs(folder, name, number, seed):
    """Sentences of one pattern, in two files."""
    rng = random.Random(seed)
    kinds = (ADJECTIVES, NOUNS, VERBS, ADJECTIVES, NOUNS)
    pairs = [[rng.choice([*kind.items()]) for kind in kinds] for _ in range(number)]
    patterns = {"en": "the {} {} {} a {} {}", "de": "die {} {} {} eine {} {}"}
    files = [folder / f"{name}.{language}" for language in patterns]
    for side, (file, pattern) in enumerate(zip(files, patterns.values(), strict=True)):
        lines = [pattern.format(*(word[side] for word in pair)) for pair in pairs]
        file.write_text("\n".join(lines) + "\n")
    return "+".join(map(str, files))


def save_tiny_preset(folder, languages=()):
    """A model of random weights that knows the letters and words of the language."""
    keras.utils.set_random_seed(0)
    words = [pair for kind in (ADJECTIVES, NOUNS, VERBS) for pair in kind.items()]
    sources, targets = zip(*words, ("the a", "die eine"), strict=True)
    tokenizer = kftune.models.train_marian_tokenizer(
        sources * 20, targets * 20, 300, languages=languages
    )
    backbone = kftune.models.TransformerBackbone(
        tokenizer.vocabulary_size(), 1, 2, 64, 128, 0.0, 64
    )
    preprocessor = kftune.models.TransformerSeq2SeqLMPreprocessor(tokenizer, 32, 32)
    task = kftune.models.TransformerSeq2SeqLM(backbone, preprocessor)
    task.save_to_preset(folder)
