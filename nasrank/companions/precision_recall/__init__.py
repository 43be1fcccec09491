"""Precision/recall divergences: exact theory, and generators trained for a chosen trade-off."""
