"""Text from files, corpora and the hub: read, clean, label, split, pack, batch."""

from kftune.data.chat_pairs import chat_pairs
from kftune.data.chat_prompt import CHAT_MARKERS, ChatPrompt, chat_prompt
from kftune.data.chunk_rows import chunk_rows
from kftune.data.clean import CleaningReport, clean
from kftune.data.clean_pairs import PairCleaningReport, clean_pairs
from kftune.data.drop_overlap import drop_overlap
from kftune.data.endless_batches import EndlessBatches
from kftune.data.few_a_class import few_a_class
from kftune.data.keep_sentences import keep_sentences
from kftune.data.label_prompts import label_prompts, prompted_by_label
from kftune.data.labels import class_names, encode_labels
from kftune.data.languages import detect_language
from kftune.data.length_bucketed import LengthBucketed
from kftune.data.message_corpora import MESSAGE_CORPORA, MessageCorpus
from kftune.data.next_token_batches import NextTokenBatches
from kftune.data.packing import pack
from kftune.data.pair_buckets import PairBuckets
from kftune.data.placeholders import PLACEHOLDER, find_placeholders
from kftune.data.pretraining_corpus import (
    PretrainingCorpus,
    load_corpora,
    read_pretraining_corpora,
)
from kftune.data.read import read
from kftune.data.read_chats import read_chats
from kftune.data.read_pair_splits import read_pair_splits
from kftune.data.read_pairs import read_pairs
from kftune.data.read_splits import read_splits
from kftune.data.split import split
from kftune.data.summary_prompts import summary_prompts
from kftune.data.summary_rows import summary_rows
from kftune.data.text_buckets import TextBuckets
from kftune.data.tokenize_pairs import tokenize_pairs
from kftune.data.translation_directions import both_directions, tag_directions

__all__ = [
    "CHAT_MARKERS",
    "MESSAGE_CORPORA",
    "PLACEHOLDER",
    "ChatPrompt",
    "CleaningReport",
    "EndlessBatches",
    "LengthBucketed",
    "MessageCorpus",
    "NextTokenBatches",
    "PairBuckets",
    "PairCleaningReport",
    "PretrainingCorpus",
    "TextBuckets",
    "both_directions",
    "chat_pairs",
    "chat_prompt",
    "chunk_rows",
    "class_names",
    "clean",
    "clean_pairs",
    "detect_language",
    "drop_overlap",
    "encode_labels",
    "few_a_class",
    "find_placeholders",
    "keep_sentences",
    "label_prompts",
    "load_corpora",
    "pack",
    "prompted_by_label",
    "read",
    "read_chats",
    "read_pair_splits",
    "read_pairs",
    "read_pretraining_corpora",
    "read_splits",
    "split",
    "summary_prompts",
    "summary_rows",
    "tag_directions",
    "tokenize_pairs",
]
