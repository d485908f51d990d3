"""Run folders: what a training keeps, and its report."""
