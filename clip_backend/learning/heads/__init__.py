"""Heads: classes from the embeddings of a frozen model, learnt in seconds."""
