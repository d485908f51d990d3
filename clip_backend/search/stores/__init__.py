"""Stores that hold a copy of an index's vectors, and find the nearest of them."""
