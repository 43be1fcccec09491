"""Class hierarchies kept in embeddings by distances between class distributions."""
