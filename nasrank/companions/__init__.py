"""Four neighbouring experiments, a folder each."""
