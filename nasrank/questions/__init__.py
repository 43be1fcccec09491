"""The questions nasrank answers, a folder each."""
