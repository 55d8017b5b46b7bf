"""Checks of an exported SavedModel, each made for a process of its own."""
