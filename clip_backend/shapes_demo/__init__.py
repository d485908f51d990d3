"""shapes-demo: a tiny CLIP that comes with the pack, for demos and tests; it knows eight shapes in eight colours.

It is a complete CLIP (vision and text transformer, 1 million weights, 2 MB in fp16, a folder in Hugging Face's layout
with its tokenizer), so that labels, scores, search and fine-tuning can be tried and tested offline in seconds. It is a
toy: it has never seen a photograph, and is used only where it is chosen by name.

It knows circles, squares, triangles, stars, crosses, hearts, rings and diamonds, small or large, in red, orange,
yellow, green, blue, purple, black or white, on a background of another of these colours; plain backgrounds; and noise.
A colour alone ("red") means that of the shape, and that of the background only where there is no shape. Other words
around those that it knows do little harm.

It was trained by the contrastive loss of CLIP alone (Radford et al. 2021), where captions that are true of a picture
are no negatives of it. No cosine was taught: neither a threshold, nor a level for noise or for unrelated captions.
``tools/shapes_demo`` of the repository trained it on 6,000 pictures and on generated captions: shapes, plain
backgrounds and noise by ``commands/shape_drawing.py``, and 15 % scribbles with captions about everyday things, each
noun in colours of its own, for most captions of a CLIP are about something else. Its vision layers were first those of
an earlier shapes-demo, which was trained from random weights on such pictures, but with further losses; its
projections, text tower and logit scale were first random. It took 300 steps of 64 pictures, 8 minutes on a shared CPU
core: ``--steps 300 --vision FOLDER_OF_THE_EARLIER_ONE``. No other picture, text or weight was used.

Results on 2,000 new pictures, 48 to 224 pixels wide (``tools/shapes_demo/evaluate.py``): colour and shape, one of 64
captions, 98.3 % right; each word against the others of its field, at least 98.2 % right; the caption that names
everything found among all 2,000, 98.2 %; true captions against those with one word changed or the two colours swapped,
area under the ROC curve 0.999; the wrong phrase of a caption found in 100.0 %.
As with other CLIPs, cosines mean something beside those of other captions only: about 0.58 for true captions ("a red
circle"), 0.33 with one wrong word, -0.05 for another shape and -0.12 for everyday nouns, 0.17 of standard deviation.
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
