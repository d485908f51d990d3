from __future__ import annotations

import io
import json
import tracemalloc
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clip_grid.clip_backend.learning.data.dataset import Dataset, Example, Facts
from clip_grid.clip_backend.learning.data.inspect import Inspected
from clip_grid.clip_backend.learning.data.likeness import Signature
from clip_grid.clip_backend.learning.data.split import read_split
from clip_grid.clip_backend.learning.data.splits import Shares, check_unseen, seen_examples, split_dataset
from clip_grid.errors import InputError, OutputError
from clip_grid.imaging import content_hash
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from .textured import textured

SIZE = (64, 64)
#: Without shrinking, which takes minutes.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]


def encoded(picture, format="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def signature(data):
    with Image.open(io.BytesIO(data)) as picture:
        return Signature.of(picture.convert("RGB"), content_hash(data))


#: Signatures of pictures by what they were made of; making them is most of the work.
_KNOWN: dict[tuple[object, ...], Signature] = {}


def made(seed, change=""):
    """The signature of a picture, or of what a data set may hold beside it."""
    if (seed, change) not in _KNOWN:
        picture = textured(seed, (96, 96) if change.startswith("crop") else SIZE)
        changes = {
            "": lambda: encoded(picture),
            "file": lambda: encoded(picture),
            "pixels": lambda: encoded(picture, "BMP"),
            "jpeg": lambda: encoded(picture, "JPEG", quality=70),
            "small": lambda: encoded(picture.resize((40, 40), Image.Resampling.LANCZOS)),
            "mirrored": lambda: encoded(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
            "crop of": lambda: encoded(picture),
            "crop": lambda: encoded(picture.crop((11, 5, 75, 61))),
        }
        _KNOWN[seed, change] = signature(changes[change]())
    return _KNOWN[seed, change]


COPIES = ["file", "pixels", "jpeg", "small", "mirrored"]


def example(name, label="cat", **others):
    return Example(Path(name), name, f"text of {name}", label, **others)


def data_of(rows, kind="classes"):
    """A data set of (example, signature) and what was found of its pictures."""
    examples, signatures = [one for one, _ in rows], [one for _, one in rows]
    dataset = Dataset(kind, "CSV", Path("data.csv"), tuple(examples))
    return dataset, [Inspected(one) if one else Inspected(reason="it is broken") for one in signatures]


def by_name(dataset, split):
    return {one.name: part for one, part in zip(dataset.examples, split.parts, strict=True)}


@st.composite
def planted(draw):
    """Rows with families that must not be parted, as (example, signature), and the family of each by its name."""
    rows, family = [], {}
    count = draw(st.integers(12, 40))
    for seed in range(count):
        kind = draw(st.sampled_from(["alone", "alone", *COPIES, "crop", "seeds", "source", "name"]))
        label = draw(st.sampled_from(["cat", "dog"]))
        base = f"{seed}.png"
        if kind == "seeds":
            facts = [Facts(f"Prompt {seed}", "m", str(n)) for n in range(3)]
            own = [(example(f"{seed}-{n}.png", label, facts=facts[n]), made(1000 + seed * 3 + n)) for n in range(3)]
        elif kind == "source":
            own = [(example(f"{seed}-{n}.png", label, source=f"s{seed}"), made(1000 + seed * 3 + n)) for n in range(2)]
        elif kind == "name":
            own = [(example(base, label), made(seed)), (example(f"{seed}_crop2.png", label), made(1000 + seed * 3))]
        elif kind == "crop":
            own = [
                (example(base, label), made(seed, "crop of")),
                (example(f"part {seed}.png", label), made(seed, "crop")),
            ]
        else:
            own = [(example(base, label), made(seed))]
            own += [(example(f"other {seed}.png", label), made(seed, kind))] if kind != "alone" else []
        rows += own
        family |= {one.name: seed for one, _ in own}
    return draw(st.permutations(rows)), family


@settings(max_examples=25, deadline=None, phases=PHASES)
@given(planted(), st.integers(0, 9))
def test_no_family_is_parted_and_the_order_of_rows_does_not_matter(rows_and_family, seed):
    rows, family = rows_and_family
    dataset, inspected = data_of(rows)
    split = split_dataset(dataset, inspected, Shares(val=0.2, test=0.2, seed=seed))

    parts, groups = defaultdict(set), defaultdict(set)
    for one, part, group in zip(dataset.examples, split.parts, split.groups, strict=True):
        parts[family[one.name]].add(part)
        groups[family[one.name]].add(group)
    # each family is one group, and each group one family
    assert all(len(found) == 1 for found in groups.values())
    assert len({next(iter(found)) for found in groups.values()}) == len(groups)
    assert all(len(found) == 1 for found in parts.values())
    assert sorted([*split.train, *split.val, *split.test]) == list(range(len(rows)))
    other = data_of(sorted(rows, key=lambda row: row[0].name))
    assert by_name(other[0], split_dataset(*other, Shares(seed=seed))) == by_name(dataset, split)


@settings(max_examples=15, deadline=None, phases=PHASES)
@given(planted(), planted(), st.integers(0, 5))
def test_rows_that_are_added_move_no_old_row_once_the_split_is_in_a_file(tmp_path_factory, old, new, seed):
    rows, _ = old
    dataset, inspected = data_of(rows)
    split = split_dataset(dataset, inspected, Shares(seed=seed))
    path = tmp_path_factory.mktemp("split") / "split.json"
    split.save(path)
    names = {one.name for one, _ in rows}
    # some are new families, and some join an old one
    added = [(one, sign) for one, sign in new[0] if one.name not in names]

    both = data_of([*added, *rows])
    grown = split_dataset(*both, Shares(seed=seed), previous=read_split(path))

    before, after = by_name(dataset, split), by_name(both[0], grown)
    assert {name: after[name] for name in before} == before
    groups = defaultdict(set)
    for part, group in zip(grown.parts, grown.groups, strict=True):
        if part:
            groups[group].add(part)
    assert all(len(found) == 1 for found in groups.values())


def alone(count, first=0, label="cat"):
    """Rows whose pictures have nothing in common."""
    flat = replace(made(0), bits=None, blocks=made(0).blocks[:0])
    return [
        (example(f"{n}.png", label), replace(flat, hash=content_hash(str(n).encode()), pixels=f"pixels {n}"))
        for n in range(first, first + count)
    ]


def test_a_tenth_more_rows_move_no_old_row_even_without_a_file():
    rows = [*alone(400), *alone(300, 1000, "dog")]
    dataset, inspected = data_of(rows)
    more = data_of([*alone(40, 5000), *rows, *alone(30, 6000, "dog")])

    before = by_name(dataset, split_dataset(dataset, inspected, Shares()))
    after = by_name(more[0], split_dataset(*more, Shares()))

    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("count", [5, 8, 16, 64, 200])
@pytest.mark.parametrize("seed", range(5))
def test_every_class_has_its_share_in_each_part(count, seed):
    dataset, inspected = data_of([*alone(count), *alone(count, 1000, "dog")])
    split = split_dataset(dataset, inspected, Shares(val=0.2, test=0.2, seed=seed))

    for label in ("cat", "dog"):
        sizes = Counter(part for one, part in zip(dataset.examples, split.parts, strict=True) if one.label == label)
        wanted = 0.2 * count
        for part in ("val", "test"):
            assert max(1, wanted - max(1, wanted / 4)) <= sizes[part] <= wanted + max(1, wanted / 4)
        assert sizes["train"]


def test_another_seed_gives_another_split():
    dataset, inspected = data_of(alone(100))

    assert len({split_dataset(dataset, inspected, Shares(seed=seed)).test for seed in range(4)}) == 4


def test_a_group_larger_than_a_part_is_trained_on_and_told():
    rows = [(replace(one, source="one film"), sign) for one, sign in alone(30)]
    dataset, inspected = data_of([*rows, *alone(20, 100)])
    split = split_dataset(dataset, inspected, Shares())

    assert set(range(30)) <= set(split.train)
    (finding,) = split.findings
    assert (finding.check, finding.severity) == ("large-group", "warning")
    assert finding.message.startswith("30 of 50 examples of 'cat' are one group")


def test_a_large_group_of_two_classes_is_told_without_naming_one():
    rows = [(replace(one, source="one film", label=str(n % 2)), sign) for n, (one, sign) in enumerate(alone(30))]

    split = split_dataset(*data_of(rows), Shares())

    assert split.findings[0].message.startswith("30 of 30 examples are one group")


def test_an_empty_part_is_told():
    rows = [(replace(one, source="one film"), sign) for one, sign in alone(30)]
    split = split_dataset(*data_of(rows), Shares())

    assert split.train == tuple(range(30))
    assert [one.check for one in split.findings] == ["large-group", "empty-part", "empty-part"]


def test_prompts_join_only_where_that_is_wanted():
    rows = [(replace(one, facts=Facts("a cat", "sdxl", str(n))), sign) for n, (one, sign) in enumerate(alone(30))]
    dataset, inspected = data_of(rows)

    assert len(set(split_dataset(dataset, inspected, Shares()).groups)) == 1
    assert len(set(split_dataset(dataset, inspected, Shares(by_prompt=False)).groups)) == 30


def test_equal_prompts_of_two_models_and_seeds_stay_apart():
    facts = [
        Facts("A  cat", "sdxl", "1"),
        Facts("a cat", "sdxl", "2"),
        Facts("a cat", "flux", "3"),
        Facts("a cat", "x", "1"),
    ]
    rows = [(replace(one, facts=fact), sign) for (one, sign), fact in zip(alone(4), facts, strict=True)]

    first, second, third, fourth = split_dataset(*data_of(rows), Shares()).groups

    # of one model, and of one seed
    assert first == second == fourth != third


def test_pictures_that_cannot_be_read_and_left_out_ones_are_in_no_part():
    rows = [*alone(20), (example("broken.png"), None)]
    split = split_dataset(*data_of(rows), Shares(), left_out=[3])

    assert [place for place, part in enumerate(split.parts) if not part] == [3, 20]
    assert (split.groups[20], split.hashes[20], split.hashes[3]) == ("", "", "")


def test_near_duplicates_by_embedding_are_one_group():
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(60, 32)).astype(np.float32)
    vectors[50] = vectors[7] + 0.02 * rng.normal(size=32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    split = split_dataset(*data_of(alone(60)), Shares(), vectors=vectors)

    assert split.groups[50] == split.groups[7]
    assert len(set(split.groups)) == 59
    assert split.reasons == {"near-duplicates by embedding": 1}
    assert 0.98 <= split.least_cosine < 1


def test_near_duplicates_by_embedding_are_the_same_in_any_order_of_rows():
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(80, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    # one prompt has pictures that are far from each other, so that it matters which one stands for it
    rows = [(replace(one, source=f"s{place // 2}"), sign) for place, (one, sign) in enumerate(alone(80))]

    found = [
        split_dataset(*data_of([rows[place] for place in order]), Shares(), vectors=vectors[order]).least_cosine
        for order in (np.arange(80), np.arange(80)[::-1], rng.permutation(80))
    ]

    assert found[0] == pytest.approx(found[1], abs=1e-6)
    assert found[0] == pytest.approx(found[2], abs=1e-6)


def test_thousands_of_pictures_that_are_alike_are_one_group_in_little_memory():
    rows = [(one, replace(sign, bits=made(0).bits, small=made(0).small, aspect=1.0)) for one, sign in alone(3000)]

    tracemalloc.start()
    split = split_dataset(*data_of(rows), Shares())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(set(split.groups)) == 1
    # 4.5 million pairs of small copies would take 3 GB
    assert most < 400e6


def test_a_model_to_which_all_is_alike_joins_nothing():
    rng = np.random.default_rng(3)
    vectors = np.ones(32) + 0.02 * rng.normal(size=(60, 32))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    assert (vectors @ vectors.T).min() > 0.99

    split = split_dataset(*data_of(alone(60)), Shares(), vectors=vectors)

    assert len(set(split.groups)) == 60
    assert split.least_cosine > 0.99


@pytest.fixture
def trained(tmp_path):
    """A split in a file, of pictures with texture."""
    rows = [(example(f"{n}.png", facts=Facts(f"prompt {n}", "m", "1")), made(n)) for n in range(40)]
    dataset, inspected = data_of(rows)
    split = split_dataset(dataset, inspected, Shares())
    split.save(tmp_path / "split.json")
    return dataset, split, tmp_path / "split.json"


def test_the_file_gives_back_the_split_and_holds_nothing_private(trained):
    _, split, path = trained
    read = read_split(path)

    assert [(one.part, one.group) for one in read.pictures] == list(zip(split.parts, split.groups, strict=True))
    assert [one.signature.hash for one in read.pictures] == list(split.hashes)
    for one, other in zip(read.pictures, split.pictures, strict=True):
        assert one.origin == other.origin
        assert one.signature.to_dict() == other.signature.to_dict()
    assert "prompt 7" not in path.read_text()
    assert json.loads(path.read_text())["train"] == len(split.train)


@pytest.mark.parametrize("change", COPIES)
def test_what_was_trained_on_is_known_again_in_any_form(trained, change):
    _, split, path = trained
    seen = seen_examples(read_split(path), *data_of([(example(f"new {n}.bmp"), made(n, change)) for n in range(40)]))

    assert seen == {place: part for place, part in enumerate(split.parts) if part != "test"}


def test_new_pictures_are_not_refused_and_known_ones_are(trained):
    dataset, split, path = trained
    saved = read_split(path)
    # names may be equal by chance
    new = data_of([(example(f"{n}.png"), made(500 + n)) for n in range(10)])
    old_seed = data_of([(example("x.png", row=4, facts=Facts("Prompt 0", "m", "9")), made(600))])
    first = split.parts[0]

    assert seen_examples(saved, *new) == {}
    check_unseen(saved, *new)
    assert seen_examples(saved, *old_seed) == ({0: first} if first != "test" else {})
    own = data_of([(dataset.examples[place], made(place)) for place in split.test])
    check_unseen(saved, *own)
    with pytest.raises(InputError, match=r"(?s)2 of 12 pictures, .* used in training.*new 0\.png in train"):
        place = split.train[0]
        check_unseen(saved, *data_of([(example("new 0.png"), made(place)), (example("new 1.png"), made(split.val[0])),
                                      *((example(f"n{n}.png"), made(700 + n)) for n in range(10))]))  # fmt: skip


def test_a_new_picture_that_joins_two_parts_is_left_out(trained):
    dataset, split, path = trained
    a, b = split.train[0], split.test[0]
    bridge = example("bridge.png", source="both", row=9)
    rows = [
        (replace(one, source="both" if place in (a, b) else ""), made(place))
        for place, one in enumerate(dataset.examples)
    ]
    grown = split_dataset(*data_of([*rows, (bridge, made(800))]), Shares(), previous=read_split(path))

    assert grown.parts[:40] == split.parts
    assert grown.parts[40] == ""
    assert {(one.check, one.severity, one.row) for one in grown.findings} == {
        ("leak", "warning", 9), ("leak", "warning", None),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('"clip_grid": "split"', '"clip_grid": "other"'), "is no file of a split"),
        (lambda text: text.replace('"version": 1', '"version": 9'), "is a split of version 9, and this program reads"),
        (lambda text: text[: len(text) // 2], "is no file of a split"),
        (lambda text: text.replace('"part": "train"', '"part": "trial"', 1), "is damaged"),
        (lambda text: text.replace('"small": "', '"small": "A', 1), "is damaged"),
        (lambda text: "[1]", "is no file of a split"),
        (lambda text: text.replace('"seed": 0', '"seed": Infinity', 1), "is no file of a split"),
        (lambda text: text.replace('"seed": 0', '"seed": 1e999', 1), "is damaged"),
    ],
)
def test_a_file_that_is_no_split_is_refused(trained, change, message):
    _, _, path = trained
    path.write_text(change(path.read_text()))

    with pytest.raises(InputError, match=message):
        read_split(path)


def test_a_foreign_file_is_not_replaced(trained, tmp_path):
    _, split, path = trained
    split.save(path)
    path.write_text("mine")

    with pytest.raises(OutputError, match="holds no split"):
        split.save(path)
    assert path.read_text() == "mine"
    split.save(path, overwrite=True)
    read_split(path)
