"""How good a model is on labelled data, with intervals, and what follows from it in one sentence."""
