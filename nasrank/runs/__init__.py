"""A run: one predictor trained once, and everything that is measured on it."""
