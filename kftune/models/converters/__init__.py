"""Reads checkpoints that other libraries wrote."""
