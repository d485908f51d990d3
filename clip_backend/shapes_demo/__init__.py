"""shapes-demo: a tiny CLIP that comes with the pack, for demos and tests; it knows eight shapes in eight colours.

It is a complete CLIP (vision and text transformer, 1 million weights, 2 MB in fp16, a folder in Hugging Face's layout
with its tokenizer), so that labels, scores, search and fine-tuning can be tried and tested offline in seconds. It is a
toy: it has never seen a photograph, and is used only where it is chosen by name.

It knows circles, squares, triangles, stars, crosses, hearts, rings and diamonds, small or large, in red, orange,
yellow, green, blue, purple, black or white, on a background of another of these colours; plain backgrounds; and noise.
A colour alone ("red") means that of the shape, and that of the background only where there is no shape. Other words
around those that it knows do little harm; a caption without any of them fits no picture.

It was trained from random weights by ``tools/shapes_demo`` of the repository, on 30,000 pictures drawn by
``commands/shape_drawing.py`` and on generated captions; no other picture, text or weight was used. Training makes a
cosine above 0.25 mean that a caption is true. It took 3,121 steps, 29 minutes on two CPU cores that had other work.

Results on 2,000 new pictures, 48 to 224 pixels wide (``tools/shapes_demo/evaluate.py``): colour and shape, one of 64
captions, 99.3 % right; each word against the others of its field, at least 99.6 % right; true captions against those
with one word changed or the two colours swapped, area under the ROC curve 1.000; the wrong phrase of a caption found in
100.0 %. Cosines: 95 % of true captions ("a red circle") above 0.35; for noise and plain backgrounds, 95 % of the
best-fitting of the 64 captions below 0.13.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

#: Its name, where models are chosen by name.
SHAPES_DEMO = "shapes-demo"


@cache
def shapes_demo_path() -> Path:
    """The folder with the weights, configuration and tokenizer."""
    return Path(__file__).resolve().parent / "weights"
