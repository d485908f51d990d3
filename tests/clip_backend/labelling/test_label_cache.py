"""Texts and pictures are encoded once: in one process, and with a cache folder across processes too."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from dataclasses import replace

from clip_grid.clip_backend.encoding.cache import EmbeddingCache
from clip_grid.clip_backend.encoding.disk_store import DiskStore
from clip_grid.clip_backend.encoding.encoder import ClipEncoder
from clip_grid.clip_backend.labelling.distinctive import distinctive_labels
from clip_grid.clip_backend.labelling.labels import label_pictures
from clip_grid.clip_backend.labelling.options import LabelOptions

from ..encoding.toy_encoder import ToyText, ToyTokenizer, ToyVision, toy_encoder
from .cosine_encoder import NOUNS, facet_of, vocabulary

SUBJECT = facet_of(["cat", "dog", "cow"], "subject", templates=("{}", "a {}"))
VOCABULARY = vocabulary(SUBJECT, facet_of(["calm"], "mood"))
#: The subjects and their nouns alone and behind "a", and the mood.
TEXTS = (3 + NOUNS) * 2 + 1
PICTURES = [np.full((4, 4, 3), level, np.uint8) for level in (0, 90, 200)]


class Counted:
    """A fresh encoder, with the cache folder if there is one."""

    def __init__(self, folder=None):
        self.vision, self.text = ToyVision(), ToyText()
        store = None if folder is None else DiskStore(folder)
        self.encoder = toy_encoder(
            vision=self.vision, text=self.text, tokenizer=ToyTokenizer(100), cache=EmbeddingCache(store=store)
        )

    def rows(self):
        """Texts and pictures that went through the towers since the last call."""
        counts = sum(rows for rows, _ in self.text.shapes), sum(self.vision.sizes)
        self.text.shapes.clear()
        self.vision.sizes.clear()
        return counts


def test_labels_and_pictures_are_encoded_once():
    counted = Counted()

    label_pictures(counted.encoder, PICTURES, VOCABULARY)
    texts, pictures = counted.rows()
    again = label_pictures(counted.encoder, PICTURES, VOCABULARY)
    distinctive_labels(counted.encoder, PICTURES, VOCABULARY)

    assert texts == TEXTS
    assert pictures == len(PICTURES)
    assert len(again.pictures) == 3
    assert counted.rows() == (0, 0)


def test_progress_counts_the_texts_and_then_the_pictures():
    counted = []

    label_pictures(Counted().encoder, PICTURES, VOCABULARY, progress=lambda *counts: counted.append(counts))

    assert (TEXTS, TEXTS) in counted and counted[-1] == (3, 3)


def test_a_file_that_is_no_picture_costs_itself_alone(tmp_path):
    broken = tmp_path / "é.png"
    broken.write_bytes(b"no picture")

    run = label_pictures(Counted().encoder, [PICTURES[0], broken, PICTURES[1]], VOCABULARY)

    assert [one.index for one in run.pictures] == [0, 2]
    assert [one.name for one in run.failed] == [str(broken)]


def test_many_runs_encode_the_texts_once():
    counted = Counted()

    for level in range(20):
        label_pictures(counted.encoder, [np.full((4, 4, 3), level, np.uint8)], VOCABULARY)

    assert counted.rows()[0] == TEXTS


def test_other_templates_encode_only_the_prompts_that_are_new():
    counted = Counted()
    label_pictures(counted.encoder, PICTURES, VOCABULARY)
    counted.rows()

    label_pictures(counted.encoder, PICTURES, VOCABULARY, options=LabelOptions(templates="a {}\nthe {}"))

    # "the" with each label and noun, and "a calm", whose facet had no such template
    assert counted.rows() == (3 + 1 + NOUNS + 1, 0)


def test_after_a_restart_texts_and_pictures_come_from_the_cache_folder(tmp_path):
    pytest.importorskip("safetensors")
    first = label_pictures(Counted(tmp_path).encoder, PICTURES, VOCABULARY)
    restarted = Counted(tmp_path)

    again = label_pictures(restarted.encoder, PICTURES, VOCABULARY)

    assert restarted.rows() == (0, 0)
    assert again == first


def test_a_model_with_another_cache_key_encodes_everything_anew(tmp_path):
    pytest.importorskip("safetensors")
    label_pictures(Counted(tmp_path).encoder, PICTURES, VOCABULARY)
    changed = Counted(tmp_path)
    encoder = changed.encoder
    other = ClipEncoder(
        replace(encoder.identity, cache_key="toy fp16"),
        vision=encoder._vision,
        text=encoder._text,
        cache=EmbeddingCache(store=DiskStore(tmp_path)),
    )

    label_pictures(other, PICTURES, VOCABULARY)

    texts, pictures = changed.rows()
    assert (texts, pictures) == (TEXTS, 3)
