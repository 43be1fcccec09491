"""What an architecture is: an acyclic graph and settings, its canonical form and its class."""

from nasrank.graphs.canonical import canonicalise
from nasrank.graphs.dag import INPUT, OUTPUT, GraphBatch
from nasrank.graphs.isomorphism import isomorphism_classes
from nasrank.graphs.joining import joined

__all__ = ["INPUT", "OUTPUT", "GraphBatch", "canonicalise", "isomorphism_classes", "joined"]
