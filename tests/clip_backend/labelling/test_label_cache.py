"""Texts and pictures cost a forward pass once: in one process, and with a folder across processes too."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from dataclasses import replace

from clip_grid.clip_backend.encoding.cache import EmbeddingCache
from clip_grid.clip_backend.encoding.disk_cache import FolderStore
from clip_grid.clip_backend.encoding.encoder import ClipEncoder
from clip_grid.clip_backend.labelling.contrast import contrast_labels
from clip_grid.clip_backend.labelling.labels import label_pictures
from clip_grid.clip_backend.labelling.options import LabelOptions

from ..toy_encoder import ToyText, ToyTokenizer, ToyVision, toy_encoder
from .toy_world import vocabulary, words

SUBJECT = words(["cat", "dog", "cow"], "subject", templates=("{}", "a {}"))
VOCABULARY = vocabulary(SUBJECT, words(["calm"], "mood"))
PICTURES = [np.full((4, 4, 3), level, np.uint8) for level in (0, 90, 200)]


class Counted:
    """An encoder that begins anew, over the same folder if there is one."""

    def __init__(self, folder=None):
        self.vision, self.text = ToyVision(), ToyText()
        store = None if folder is None else FolderStore(folder)
        self.encoder = toy_encoder(
            vision=self.vision, text=self.text, tokenizer=ToyTokenizer(100), cache=EmbeddingCache(store=store)
        )

    def rows(self):
        """Texts and pictures that went through the towers since the last look."""
        counts = sum(rows for rows, _ in self.text.shapes), sum(self.vision.sizes)
        self.text.shapes.clear()
        self.vision.sizes.clear()
        return counts


def test_labels_are_read_once_and_pictures_seen_once():
    counted = Counted()

    label_pictures(counted.encoder, PICTURES, VOCABULARY)
    texts, pictures = counted.rows()
    again = label_pictures(counted.encoder, PICTURES, VOCABULARY)
    contrast_labels(counted.encoder, PICTURES, VOCABULARY)

    assert texts == 3 * 2 + 1
    # those of the bank of nothing too
    assert pictures > len(PICTURES)
    assert len(again.pictures) == 3
    assert counted.rows() == (0, 0)


def test_progress_counts_the_texts_and_then_the_pictures():
    told = []

    label_pictures(Counted().encoder, PICTURES, VOCABULARY, progress=lambda *counts: told.append(counts))

    assert (7, 7) in told and told[-1] == (3, 3)


def test_a_file_that_is_no_picture_costs_itself_alone(tmp_path):
    broken = tmp_path / "é.png"
    broken.write_bytes(b"no picture")

    run = label_pictures(Counted().encoder, [PICTURES[0], broken, PICTURES[1]], VOCABULARY)

    assert [one.index for one in run.pictures] == [0, 2]
    assert [one.name for one in run.failed] == [str(broken)]


def test_a_thousand_pictures_cost_one_pass_over_the_texts():
    counted = Counted()

    for level in range(20):
        label_pictures(counted.encoder, [np.full((4, 4, 3), level, np.uint8)], VOCABULARY)

    assert counted.rows()[0] == 7


def test_another_template_costs_its_own_texts_alone():
    counted = Counted()
    label_pictures(counted.encoder, PICTURES, VOCABULARY)
    counted.rows()

    label_pictures(counted.encoder, PICTURES, VOCABULARY, options=LabelOptions(templates="a {}\nthe {}"))

    # "the" with each label, and "a calm", which had no such sentence before
    assert counted.rows() == (5, 0)


def test_after_a_restart_the_folder_knows_texts_and_pictures(tmp_path):
    pytest.importorskip("safetensors")
    first = label_pictures(Counted(tmp_path).encoder, PICTURES, VOCABULARY)
    restarted = Counted(tmp_path)

    again = label_pictures(restarted.encoder, PICTURES, VOCABULARY)

    assert restarted.rows() == (0, 0)
    assert again == first


def test_a_model_with_other_numbers_reads_everything_anew(tmp_path):
    pytest.importorskip("safetensors")
    label_pictures(Counted(tmp_path).encoder, PICTURES, VOCABULARY)
    changed = Counted(tmp_path)
    encoder = changed.encoder
    other = ClipEncoder(
        replace(encoder.identity, cache_key="toy fp16"),
        vision=encoder._vision,
        text=encoder._text,
        cache=EmbeddingCache(store=FolderStore(tmp_path)),
    )

    label_pictures(other, PICTURES, VOCABULARY)

    texts, pictures = changed.rows()
    assert texts == 7 and pictures > 3
