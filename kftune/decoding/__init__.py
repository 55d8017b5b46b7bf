"""Search and sampling under a language model; many texts, one in pieces, questions."""

from kftune.decoding.beam_search import BeamSearch
from kftune.decoding.generate_texts import check_prompts, generate_texts
from kftune.decoding.sampling import Sampling
from kftune.decoding.stream import stream
from kftune.decoding.support_desk import SupportAnswer, SupportDesk
from kftune.decoding.translate_texts import source_lengths, translate_texts

__all__ = [
    "BeamSearch",
    "Sampling",
    "SupportAnswer",
    "SupportDesk",
    "check_prompts",
    "generate_texts",
    "source_lengths",
    "stream",
    "translate_texts",
]
