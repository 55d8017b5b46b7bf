"""Files of the toy language pair, and a tiny untrained model that knows its words."""

import keras
from toy_sentences import toy_sentences

import kftune


def write_pairs(folder, name, number, seed):
    """Writes sentences into two files; gives both names as `kftune.data.read` does."""
    files = [folder / f"{name}.{language}" for language in ("en", "de")]
    sides = zip(*toy_sentences(number, seed), strict=True)
    for file, lines in zip(files, sides, strict=True):
        file.write_text("\n".join(lines) + "\n", "utf-8")
    return "+".join(map(str, files))


def save_tiny_preset(folder, languages=(), length=32):
    """Saves a model of random weights that reads and writes so many tokens."""
    keras.utils.set_random_seed(0)
    sources, targets = zip(*toy_sentences(400, 0), strict=True)
    tokenizer = kftune.models.train_marian_tokenizer(
        sources, targets, 300, languages=languages
    )
    backbone = kftune.models.TransformerBackbone(
        tokenizer.vocabulary_size(), 1, 2, 64, 128, 0.0, 64
    )
    preprocessor = kftune.models.TransformerSeq2SeqLMPreprocessor(
        tokenizer, length, length
    )
    task = kftune.models.TransformerSeq2SeqLM(backbone, preprocessor)
    task.save_to_preset(folder)
