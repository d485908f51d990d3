"""Data sets: every layout that is read, what is wrong in them, and splits whose parts share no picture."""
