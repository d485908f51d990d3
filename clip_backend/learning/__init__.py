"""Learning from examples: data sets, heads on a frozen model, training of the model itself, and the folders of runs."""
