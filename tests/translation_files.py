"""Small vocabularies of translation models, trained anew, in Hugging Face's files."""

import io
import json
import lzma
import os
from pathlib import Path

import pytest
import sentencepiece

SOURCE = [
    "The film is good, and the other film is not bad at all.",
    "A slow start: two hours of waiting; then it all begins again!",
    "She said that it's what they have seen in the old house.",
]
TARGET = [
    "Der Film ist gut, und der andere Film ist gar nicht schlecht.",
    "Ein langsamer Anfang: zwei Stunden Warten; dann geht es los!",
    "Sie sagte, dass sie es im alten Häuschen auf der Straße sahen.",
]
HARD = [
    "",
    " ",
    "The  film\tisn't\u00a0bad",
    " so what? ",
    "naïve “Straße” \u65e5\u672c \U0001f600 e\u0301 \ufb01 …",
    "a </s> b<unk>c <pad> d",
    "</s>",
    "line\nbreak\r\nand\u2028more",
    "x" * 200,
    "nul\x00byte",
]


needs_data = pytest.mark.skipif(
    "KFTUNE_TEST_DATA" not in os.environ,
    reason="KFTUNE_TEST_DATA names no folder with measurement data",
)


def real_lines(language, count):
    """The first lines of Multi30k's training data."""
    path = Path(os.environ["KFTUNE_TEST_DATA"]) / "multi30k" / f"train.{language}.xz"
    with lzma.open(path, "rt", encoding="utf-8") as file:
        return [line.rstrip("\n") for _, line in zip(range(count), file, strict=False)]


def train_sentence_piece(lines, **options):
    """A serialised SentencePiece model of about 60 pieces."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines * 4),
        model_writer=model,
        vocab_size=options.pop("vocab_size", 60),
        hard_vocab_limit=False,
        minloglevel=2,
        **options,
    )
    return model.getvalue()


def pieces(proto):
    """All pieces of a SentencePiece model in the order of its ids."""
    model = sentencepiece.SentencePieceProcessor(model_proto=proto)
    return [model.id_to_piece(i) for i in range(model.vocab_size())]


def marian_vocabulary(*protos):
    """A vocabulary ordered as OPUS-MT's: `</s>` first, `<pad>` last."""
    found = {piece for proto in protos for piece in pieces(proto)}
    found -= {"</s>", "<unk>", "<s>"}
    tokens = ["</s>", "<unk>", *sorted(found), ">>deu<<", ">>fra<<", "<pad>"]
    return {token: i for i, token in enumerate(tokens)}


def write_marian_files(folder, source=SOURCE, target=TARGET, **options):
    """Writes `source.spm`, `target.spm` and `vocab.json`."""
    protos = [train_sentence_piece(lines, **options) for lines in (source, target)]
    (folder / "source.spm").write_bytes(protos[0])
    (folder / "target.spm").write_bytes(protos[1])
    vocabulary = marian_vocabulary(*protos)
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    return folder


def write_m2m100_files(folder):
    """Writes `sentencepiece.bpe.model` and `vocab.json` without languages."""
    proto = train_sentence_piece(SOURCE + TARGET, model_type="bpe", vocab_size=90)
    (folder / "sentencepiece.bpe.model").write_bytes(proto)
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *pieces(proto)[3:]]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    return folder
