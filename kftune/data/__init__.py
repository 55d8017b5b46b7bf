"""Text from files, corpora and the hub: read, clean, label, split, pack, batch."""

from kftune.data.clean import CleaningReport, clean
from kftune.data.drop_overlap import drop_overlap
from kftune.data.endless_batches import EndlessBatches
from kftune.data.labels import encode_labels
from kftune.data.length_bucketed import LengthBucketed
from kftune.data.next_token_batches import NextTokenBatches
from kftune.data.packing import pack
from kftune.data.placeholders import PLACEHOLDER, find_placeholders
from kftune.data.pretraining_corpus import (
    PretrainingCorpus,
    load_corpora,
    read_pretraining_corpora,
)
from kftune.data.read import read
from kftune.data.split import split

__all__ = [
    "PLACEHOLDER",
    "CleaningReport",
    "EndlessBatches",
    "LengthBucketed",
    "NextTokenBatches",
    "PretrainingCorpus",
    "clean",
    "drop_overlap",
    "encode_labels",
    "find_placeholders",
    "load_corpora",
    "pack",
    "read",
    "read_pretraining_corpora",
    "split",
]
