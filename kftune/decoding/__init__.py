"""Search for the best text under a language model."""

from kftune.decoding.beam_search import BeamSearch

__all__ = ["BeamSearch"]
