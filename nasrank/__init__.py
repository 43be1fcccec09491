"""Which training loss finds the best architectures with the fewest evaluations."""

__version__ = "0.1.0"

__all__ = ["__version__"]
