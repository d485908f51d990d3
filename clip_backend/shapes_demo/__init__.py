"""shapes-demo: a tiny CLIP of our own, which knows eight shapes in eight colours and nothing else.

What it is: a real CLIP (vision and text transformer, 1 million weights, 2 MB in fp16, Hugging Face's layout with its
tokenizer), so that labels, scores, search and fine-tuning can be shown and tested for their meaning, offline and in
seconds. It is a toy: it has never seen a photograph, and is never taken for a user's pictures unless asked for by name.

What it knows: a circle, square, triangle, star, cross, heart, ring or diamond, small or large, in red, orange, yellow,
green, blue, purple, black or white, on a ground of another of these colours; empty grounds; noise. A colour alone
("red") means the shape's, and the ground's only where there is no shape. Among other words it hears those that it
knows; captions that have none of them are taught to fit no picture.

How it was made: from nothing, by ``train.py`` of this package, on 30,000 pictures that ``drawing.py`` draws and on the
captions of ``captions.py``; no other picture, text or weight went into it. A cosine above 0.25 is taught to mean that a
caption is true. It took 3,121 steps, in 29 minutes of processor time (on two cores that had other work).

What it reached, on 2,000 pictures drawn afresh, 48 to 224 pixels wide (``exam.py``): colour and shape together, one of
64 captions, 99.3 % right; each word alone against the others of its field at least 99.6 %; true captions against such
with one word changed or both colours swapped, area under the ROC curve 1.000; the wrong phrase of a caption named
100.0 %. Cosines: 95 % of true captions ("a red circle") above 0.35; noise and empty grounds, with whichever of the 64
captions fits best, 95 % below 0.13.
"""

from __future__ import annotations

from pathlib import Path

#: What it is called where models are chosen by name.
SHAPES_DEMO = "shapes-demo"


def shapes_demo_path() -> Path:
    """The folder with the demo model's weights, configuration and tokenizer."""
    return Path(__file__).resolve().parent / "weights"


def called(path: Path) -> str:
    """What messages call a model's file or folder: its path, or the demo's own name."""
    return SHAPES_DEMO if path == shapes_demo_path() else str(path)
