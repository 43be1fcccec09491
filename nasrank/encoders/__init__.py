"""Networks from images or vectors to features, shared by the studies on samples."""

from nasrank.encoders.making import ENCODERS, make_encoder, require_fit

__all__ = ["ENCODERS", "make_encoder", "require_fit"]
