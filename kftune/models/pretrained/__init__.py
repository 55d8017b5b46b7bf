"""Presets: what is at hand, reading a folder into a task, saving one."""
