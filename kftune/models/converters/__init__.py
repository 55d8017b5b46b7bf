"""Reads checkpoints that other libraries wrote, and writes some for them."""
