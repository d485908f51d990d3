"""Pictures found again: an index of embeddings and generation data over folders, and exact search in it."""
