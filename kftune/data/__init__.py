"""Text from files, corpora and the hub: read, clean, label, split, pack, batch."""

from kftune.data.clean import CleaningReport, clean
from kftune.data.labels import encode_labels
from kftune.data.length_bucketed import LengthBucketed
from kftune.data.read import read
from kftune.data.split import split

__all__ = [
    "CleaningReport",
    "LengthBucketed",
    "clean",
    "encode_labels",
    "read",
    "split",
]
