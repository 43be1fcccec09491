"""Supervised contrastive learning without class collapse: theory, simulation, encoders, advice."""
