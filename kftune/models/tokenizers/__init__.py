"""Tokenizers of translation models, with the ids of transformers."""
