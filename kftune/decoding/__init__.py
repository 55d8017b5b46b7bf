"""Search for the best texts under a language model."""

from kftune.decoding.beam_search import BeamSearch

__all__ = ["BeamSearch"]
