"""Search for the best texts under a language model; many texts in batches."""

from kftune.decoding.beam_search import BeamSearch
from kftune.decoding.translate_texts import source_lengths, translate_texts

__all__ = ["BeamSearch", "source_lengths", "translate_texts"]
