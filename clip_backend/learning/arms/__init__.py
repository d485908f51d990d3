"""What is compared on the test split: the base model, ridge on its embeddings, chance, and what was trained."""
