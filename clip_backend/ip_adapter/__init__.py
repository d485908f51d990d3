"""Reference pictures that steer generation: adapter files, projections, references, attention."""
