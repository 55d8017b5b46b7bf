"""Tokenizers of translation models, and of GPT-2 in a graph; transformers' ids."""
