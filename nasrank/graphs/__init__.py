"""What an architecture is: a directed acyclic graph, its canonical form and its class."""

from nasrank.graphs.canonical import canonicalise
from nasrank.graphs.dag import INPUT, OUTPUT, GraphBatch
from nasrank.graphs.isomorphism import isomorphism_classes

__all__ = ["INPUT", "OUTPUT", "GraphBatch", "canonicalise", "isomorphism_classes"]
