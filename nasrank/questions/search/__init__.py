"""Searches simulated on a benchmark: guided by a predictor, and the controls beside them."""
