from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from clip_grid.clip_backend.learning.data.dataset import Facts
from clip_grid.clip_backend.learning.data.inspect import inspect_pictures
from clip_grid.clip_backend.learning.data.prepare import prepare_data
from clip_grid.clip_backend.learning.data.read import read_dataset
from clip_grid.clip_backend.learning.data.splits import Shares
from clip_grid.clip_backend.preparing.pictures import TarMember, named_pictures
from clip_grid.errors import InputError, PictureError

from .textured import save_textured, textured


@pytest.fixture
def folder(tmp_path):
    """Three pictures a.png, b.png and sub/c.png."""
    for seed, name in enumerate(("a.png", "b.png", "sub/c.png")):
        save_textured(tmp_path / name, seed)
    return tmp_path


def told(data):
    """Kind, and what each example says."""
    return data.kind, [(one.name, one.texts, one.label) for one in data.examples]


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


CAPTIONS = [("a.png", ("a cat",), None), ("b.png", ("a dog",), None)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_csv_of_pairs_is_read_with_every_separator_and_encoding(folder, separator, encoding):
    rows = [["image_path", "text", "label"], ["a.png", "ein Kätzchen", "1"], ["sub\\c.png", "a dog", "0"]]
    data = read_dataset(write(folder / "data.csv", "\n".join(map(separator.join, rows)), encoding))

    assert told(data) == ("pairs", [("a.png", ("ein Kätzchen",), True), ("sub/c.png", ("a dog",), False)])
    assert [(one.row, one.line) for one in data.examples] == [(1, 2), (2, 3)]
    assert data.layout == "CSV"
    assert not data.findings


def test_labels_that_are_names_make_a_set_of_classes(folder):
    data = read_dataset(write(folder / "data.csv", "image_path,text,label\na.png,soft,cat\nb.png,,dog\n"))

    assert told(data) == ("classes", [("a.png", ("soft",), "cat"), ("b.png", (), "dog")])
    assert data.classes == ("cat", "dog")


def test_classes_may_be_digits_and_need_no_texts(folder):
    data = read_dataset(write(folder / "data.csv", "file,class\na.png,0\nb.png,1\nsub/c.png,7\n"))

    assert told(data) == ("classes", [("a.png", (), "0"), ("b.png", (), "1"), ("sub/c.png", (), "7")])


def test_the_tsv_of_open_clip_is_read(folder):
    data = read_dataset(write(folder / "train.tsv", "filepath\ttitle\na.png\ta cat\nb.png\ta dog\n"))

    assert told(data) == ("captions", CAPTIONS)
    assert data.layout == "TSV"


def test_paths_are_relative_to_the_root_then_to_the_file(folder, tmp_path):
    elsewhere = tmp_path / "lists"
    elsewhere.mkdir()
    save_textured(elsewhere / "b.png", 7)
    table = write(elsewhere / "data.csv", f"image,text\nc.png,a fox\nb.png,a dog\n{folder / 'a.png'},a cat\n")

    data = read_dataset(table, root=folder / "sub")

    assert [one.picture for one in data.examples] == [folder / "sub/c.png", elsewhere / "b.png", folder / "a.png"]
    # no folder of this machine, also where the path is absolute
    assert [one.name for one in data.examples] == ["c.png", "b.png", "a.png"]
    with pytest.raises(InputError, match="there is no folder"):
        read_dataset(table, root=folder / "nothing")


def test_names_do_not_depend_on_the_current_folder_and_tell_pictures_apart(tmp_path, monkeypatch):
    for seed, name in enumerate(("cats/1.png", "dogs/1.png")):
        save_textured(tmp_path / "photos" / name, seed)
    (tmp_path / "lists").mkdir()
    lines = [f"{tmp_path / 'photos' / name}/1.png,{name}" for name in ("cats", "dogs")]
    table = write(tmp_path / "lists/data.csv", "\n".join(["image,label", *lines]))

    found = []
    for folder in (tmp_path, tmp_path / "photos", Path("/")):
        monkeypatch.chdir(folder)
        found.append([one.name for one in read_dataset(table).examples])

    # two pictures of one name would be taken for one source
    assert found == [["cats/1.png", "dogs/1.png"]] * 3


def test_imagefolder_of_hugging_face_is_read_from_csv_and_jsonl(folder):
    write(folder / "metadata.csv", "file_name,text\na.png,a cat\nb.png,a dog\n")
    assert told(read_dataset(folder)) == ("captions", CAPTIONS)
    assert read_dataset(folder).layout == "Hugging Face imagefolder (metadata.csv)"

    (folder / "metadata.csv").unlink()
    lines = [json.dumps({"file_name": name, "caption": text}) for name, (text,), _ in CAPTIONS]
    write(folder / "metadata.jsonl", "\n".join(lines) + "\n")
    data = read_dataset(folder)

    assert told(data) == ("captions", CAPTIONS)
    assert data.layout == "Hugging Face imagefolder (metadata.jsonl)"
    assert [(one.row, one.line) for one in data.examples] == [(1, 1), (2, 2)]


def test_imagefolder_keeps_its_parts(tmp_path):
    for seed, part in enumerate(("train", "validation", "test")):
        save_textured(tmp_path / part / f"{part}.png", seed)
        write(tmp_path / part / "metadata.csv", f"file_name,text\n{part}.png,text {part}\n")

    data = read_dataset(tmp_path)

    assert {(one.name, one.part) for one in data.examples} == {
        ("train/train.png", "train"), ("validation/validation.png", "val"), ("test/test.png", "test"),
    }  # fmt: skip


def test_imagefolder_may_have_its_tables_anywhere_below(tmp_path):
    for seed, name in enumerate(("data/part1/a.png", "data/part2/deep/b.png")):
        save_textured(tmp_path / name, seed)
    write(tmp_path / "data/part1/metadata.jsonl", '{"file_name": "a.png", "text": "a cat"}\n')
    write(tmp_path / "data/part2/metadata.jsonl", '{"file_name": "deep/b.png", "text": "a dog"}\n')

    data = read_dataset(tmp_path)

    assert told(data) == (
        "captions", [("data/part1/a.png", ("a cat",), None), ("data/part2/deep/b.png", ("a dog",), None)],
    )  # fmt: skip
    assert data.layout == "Hugging Face imagefolder (metadata.jsonl)"


def test_captions_beside_pictures_are_read_as_kohya_writes_them(tmp_path):
    for seed, name in enumerate(("a", "b", "c")):
        save_textured(tmp_path / "10_pets" / f"{name}.png", seed)
    write(tmp_path / "10_pets/a.txt", "a cat\n", "utf-8-sig")
    write(tmp_path / "10_pets/b.caption", "a dog\nanother line\n")

    data = read_dataset(tmp_path)

    assert told(data) == ("captions", [("10_pets/a.png", ("a cat",), None), ("10_pets/b.png", ("a dog",), None)])
    assert {(one.check, one.picture) for one in data.findings} == {
        ("no-text", "10_pets/c.png"), ("more-lines", "10_pets/b.png"), ("repeats", "10_pets"),
    }  # fmt: skip
    assert data.rows == 3


def shard(path, members):
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def png(seed):
    buffer = io.BytesIO()
    textured(seed).save(buffer, "PNG")
    return buffer.getvalue()


def test_shards_of_webdataset_are_read_where_they_lie(tmp_path):
    record = json.dumps({"caption": "of the JSON file", "url": "https://example.org/1"}).encode()
    shard(tmp_path / "00000.tar", {"00/1.png": png(1), "00/1.txt": b"a cat", "00/1.json": record, "00/2.png": png(2)})
    shard(tmp_path / "00001.tar", {"3.json": b'{"caption": "a fox"}', "3.jpg": png(3)})

    data = read_dataset(tmp_path)

    assert told(data) == (
        "captions", [("00000.tar/00/1.png", ("a cat",), None), ("00001.tar/3.jpg", ("a fox",), None)],
    )  # fmt: skip
    assert [one.row for one in data.examples] == [1, 3]
    assert [(one.check, one.row) for one in data.findings] == [("no-text", 2)]
    # the bytes are those of the member, wherever it lies
    (first, _) = [one.picture for one in data.examples]
    assert isinstance(first, TarMember)
    assert first.read() == png(1)
    (named,) = named_pictures([first])
    assert named.load().tobytes() == textured(1).tobytes()
    assert [one.size for one in inspect_pictures(data)] == [(48, 48), (48, 48)]


def test_shards_with_classes_make_a_set_of_classes(tmp_path):
    path = shard(tmp_path / "a.tar", {"1.png": png(1), "1.cls": b"3", "2.png": png(2), "2.cls": b"5"})

    assert told(read_dataset(path)) == ("classes", [("a.tar/1.png", (), "3"), ("a.tar/2.png", (), "5")])


def test_classes_of_shards_are_classes_also_where_they_are_0_and_1_and_there_are_texts(tmp_path):
    members = {"1.png": png(1), "1.txt": b"a cat", "1.cls": b"0", "2.png": png(2), "2.txt": b"a dog", "2.cls": b"1"}
    data = read_dataset(shard(tmp_path / "a.tar", members))

    assert told(data) == ("classes", [("a.tar/1.png", ("a cat",), "0"), ("a.tar/2.png", ("a dog",), "1")])


def test_members_are_put_together_as_webdataset_does(tmp_path):
    members = {
        "README": b"no ending", "__info__/x.json": b"{}", "a.b/1.png": png(1), "a.b/1.TXT": b"a cat",
        # a picture of another kind has a longer ending
        "2.seg.png": png(3), "2.png": png(2), "2.txt": b"a dog", "3.depth.png": png(4), "3.txt": b"a fox",
        "4.seg.png": png(5), "4.depth.png": png(6), "4.txt": b"which?",
    }  # fmt: skip
    data = read_dataset(shard(tmp_path / "a.tar", members))

    assert told(data)[1] == [
        ("a.tar/a.b/1.png", ("a cat",), None), ("a.tar/2.png", ("a dog",), None),
        ("a.tar/3.depth.png", ("a fox",), None),
    ]  # fmt: skip
    assert [(one.check, one.row) for one in data.findings] == [("bad-entry", 4)]


def test_a_shard_that_ends_early_gives_what_is_in_front(tmp_path):
    path = shard(tmp_path / "a.tar", {"1.png": png(1), "1.txt": b"a cat", "2.png": png(2), "2.txt": b"a dog"})
    path.write_bytes(path.read_bytes()[: 512 + 8192 + 700])

    data = read_dataset(path)

    assert told(data)[1] == [("a.tar/1.png", ("a cat",), None)]
    assert "broken-archive" in {one.check for one in data.findings}


@pytest.mark.parametrize("header", [{"GNU.sparse.map": "0,a", "GNU.sparse.size": "9"}, {"GNU.sparse.size": "x"}])
def test_a_damaged_table_of_holes_ends_a_shard_by_name(tmp_path, header):
    path = shard(tmp_path / "a.tar", {"1.png": png(1), "1.txt": b"a cat"})
    with tarfile.open(path, "a", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("2.png")
        info.pax_headers = header
        tar.addfile(info)

    data = read_dataset(path)

    assert told(data)[1] == [("a.tar/1.png", ("a cat",), None)]
    assert [one.check for one in data.findings] == ["broken-archive"]


def test_a_member_of_an_archive_that_changed_costs_itself_alone(tmp_path):
    path = shard(tmp_path / "a.tar", {"1.png": png(1), "1.txt": b"a cat", "2.png": png(2), "2.txt": b"a dog"})
    data = read_dataset(path)
    path.write_bytes(path.read_bytes()[:3000])

    with pytest.raises(PictureError, match="the archive ends within it"):
        data.examples[1].picture.read()
    assert [bool(one.reason) for one in inspect_pictures(data)] == [True, True]


def test_compressed_archives_are_refused_with_the_cure(tmp_path):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz"):
        pass

    with pytest.raises(InputError, match="is compressed; unpack it"):
        read_dataset(tmp_path / "a.tar.gz")


@pytest.mark.parametrize(
    ("value", "layout"),
    [
        ({"a.png": ["a cat"], "b.png": "a dog"}, "JSON of captions by path"),
        ({"a.png": {"caption": "a cat"}, "b.png": {"caption": "a dog"}}, "JSON of captions by path"),
        ([{"image": "a.png", "text": "a cat"}, {"image": "b.png", "text": "a dog"}], "JSON, a list of objects"),
        (
            {"images": [{"id": 7, "file_name": "b.png"}, {"id": 3, "file_name": "a.png"}],
             "annotations": [{"image_id": 3, "caption": "a cat"}, {"image_id": 7, "caption": "a dog"}]},
            "COCO (images and annotations)",
        ),
        (
            {"images": [{"filename": "a.png", "split": "restval", "sentences": [{"raw": "a cat"}]},
                        {"filename": "b.png", "split": "train", "sentences": [{"raw": "a dog"}]}]},
            "JSON of Karpathy's splits (images with sentences)",
        ),
    ],
)  # fmt: skip
def test_json_is_read_in_every_shape(folder, value, layout):
    data = read_dataset(write(folder / "data.json", json.dumps(value)))

    assert told(data) == ("captions", CAPTIONS)
    assert data.layout == layout


def test_karpathys_parts_and_folders_are_used(folder):
    image = {"filepath": "sub", "filename": "c.png", "split": "val", "sentences": [{"raw": "a fox"}, {"raw": "red"}]}

    (example,) = read_dataset(write(folder / "data.json", json.dumps({"images": [image]}))).examples

    assert (example.name, example.part, example.texts) == ("sub/c.png", "val", ("a fox", "red"))


def test_categories_of_coco_are_classes(folder):
    value = {
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}],
        "categories": [{"id": 5, "name": "cat"}, {"id": 6, "name": "dog"}],
        "annotations": [{"image_id": 1, "category_id": 5, "bbox": [0, 0, 1, 1]},
                        {"image_id": 1, "category_id": 5, "bbox": [2, 2, 1, 1]}, {"image_id": 2, "category_id": 6}],
    }  # fmt: skip
    data = read_dataset(write(folder / "data.json", json.dumps(value)))

    assert told(data) == ("classes", [("a.png", (), "cat"), ("b.png", (), "dog")])


def test_what_coco_does_not_name_is_told(folder):
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}]
    value = {
        "images": images, "categories": [{"id": 5, "name": "cat"}, {"id": 6}],
        "annotations": [{"image_id": 1, "category_id": 5}, {"image_id": 1, "category_id": 9},
                        {"image_id": 2, "category_id": 6}, {"image_id": 3, "category_id": 5}, 7],
    }  # fmt: skip
    data = read_dataset(write(folder / "data.json", json.dumps(value)))

    assert told(data)[1] == [("a.png", (), "cat")]
    assert [(one.check, one.row or one.picture) for one in data.findings] == [
        ("bad-entry", 2), ("bad-entry", 3), ("bad-entry", 4), ("bad-entry", 5), ("no-text", "b.png"),
    ]  # fmt: skip
    assert "its category '9' is not among the categories" in data.findings[0].message

    twice = {"images": [*images, {"id": 1, "file_name": "sub/c.png"}],
             "annotations": [{"image_id": 1, "caption": "which?"}, {"image_id": 2, "caption": "a dog"}]}  # fmt: skip
    data = read_dataset(write(folder / "data.json", json.dumps(twice)))
    assert told(data)[1] == [("b.png", ("a dog",), None)]
    assert "'1', an id that several images have" in data.findings[0].message


def test_nan_is_no_text_and_a_name_that_stands_twice_is_told(folder):
    lines = ['{"file_name": "a.png", "text": NaN}', '{"file_name": "b.png", "text": "a dog", "score": NaN}',
             '{"file_name": "sub/c.png", "text": "one", "text": "two"}']  # fmt: skip
    data = read_dataset(write(folder / "data.jsonl", "\n".join(lines)))

    assert told(data)[1] == [("b.png", ("a dog",), None)]
    assert [(one.check, one.row) for one in data.findings] == [("no-text", 1), ("bad-entry", 3)]
    with pytest.raises(InputError, match=r"none of its 1 lines can be used; the first: line 1: .*holds 'text' twice"):
        read_dataset(write(folder / "data.jsonl", lines[2]))


def test_a_picture_whose_captions_are_in_two_parts_stays_two_examples(folder):
    table = "image,caption,split\na.png,a cat,train\na.png,a pet,evaluation\nb.png,a dog,train\n"
    data = read_dataset(write(folder / "captions.csv", table))

    assert [(one.name, one.texts, one.part) for one in data.examples] == [
        ("a.png", ("a cat",), "train"), ("a.png", ("a pet",), "test"), ("b.png", ("a dog",), "train"),
    ]  # fmt: skip
    with pytest.raises(InputError, match="a copy or a part of it, is in train"):
        prepare_data(folder / "captions.csv").report.check_trainable()


def test_equal_names_in_data_sets_of_two_folders_are_no_leak(tmp_path):
    for seed, name in enumerate(f"{part}/{label}/{n}.png" for part in "ab" for label in ("cat", "dog") for n in (1, 2)):
        save_textured(tmp_path / name, seed)

    prepared = prepare_data(tmp_path / "a", parts={"val": tmp_path / "b"}, shares=Shares(val=0, test=0))

    assert not [one for one in prepared.report.findings if one.check == "leak"]
    assert len(set(prepared.split.groups)) == 8
    # in one folder a name tells
    for seed, name in enumerate(("pet.png", "pet_crop2.png")):
        save_textured(tmp_path / name, 50 + seed)
    tables = [write(tmp_path / f"{name}.csv", f"image,text\n{name}.png,a {name}\n") for name in ("pet", "pet_crop2")]
    prepared = prepare_data(tables[0], parts={"val": tables[1]}, shares=Shares(val=0, test=0))
    assert "leak" in {one.check for one in prepared.report.findings}


def test_several_captions_of_one_picture_are_one_example(folder):
    table = "image,caption\na.png,a cat\na.png,a pet\nb.png,a dog\na.png,a cat\n"
    data = read_dataset(write(folder / "captions.csv", table))

    assert told(data) == ("captions", [("a.png", ("a cat", "a pet"), None), CAPTIONS[1]])
    assert data.examples[0].caption_rows == ((2, 3),)
    assert [(one.check, one.row) for one in data.findings] == [("duplicate-row", 4)]


def test_the_csv_of_flickr_is_read(folder):
    data = read_dataset(
        write(folder / "r.csv", "image_name| comment_number| comment\na.png| 0| a cat\nb.png| 0| a dog\n")
    )

    assert told(data) == ("captions", CAPTIONS)


def test_folders_are_classes_also_below_those_of_a_split(tmp_path):
    for seed, name in enumerate(("cat/1.png", "cat/deep/2.png", "dog/1.png", "lost.png")):
        save_textured(tmp_path / "plain" / name, seed)
        save_textured(tmp_path / "split/train" / name, seed)
    save_textured(tmp_path / "split/val/dog/9.png", 9)

    plain, split = read_dataset(tmp_path / "plain"), read_dataset(tmp_path / "split")

    names = [("cat/1.png", (), "cat"), ("cat/deep/2.png", (), "cat"), ("dog/1.png", (), "dog")]
    assert told(plain) == ("classes", names)
    assert [(one.check, one.picture) for one in plain.findings] == [("no-label", "lost.png")]
    assert [(one.label, one.part) for one in split.examples] == [
        ("cat", "train"), ("cat", "train"), ("dog", "train"), ("dog", "val"),
    ]  # fmt: skip


def test_prompts_of_generated_pictures_are_their_captions(folder):
    known = {"a.png": Facts("a cat", "sdxl", "1"), "b.png": Facts("a dog", "sdxl", "2")}
    (folder / "sub/c.png").rename(folder / "c.png")
    (folder / "sub").rmdir()

    data = read_dataset(folder, facts_of=lambda picture: known.get(picture.name, Facts()))

    assert told(data) == ("captions", CAPTIONS)
    assert [one.facts for one in data.examples] == list(known.values())
    assert [(one.check, one.picture) for one in data.findings] == [("no-text", "c.png")]
    with pytest.raises(InputError, match=r"their files tell no prompt; write a \.txt file beside each"):
        read_dataset(folder, facts_of=lambda picture: Facts())
    with pytest.raises(InputError, match="holds pictures without captions; write"):
        read_dataset(folder)


def test_columns_tell_what_pictures_have_in_common(folder):
    table = "image,text,positive prompt,model,seed,group,split\na.png,x,a cat,sdxl,5,one,Validation\nb.png,y,,,,,\n"
    first, second = read_dataset(write(folder / "data.csv", table), facts_of=lambda _: Facts("of the file")).examples

    assert (first.facts, first.source, first.part) == (Facts("a cat", "sdxl", "5"), "one", "val")
    assert (second.facts, second.source, second.part) == (Facts("of the file"), "", "")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("data.csv", "", "is empty"),
        ("data.csv", "image_path,text\n", "has a header but no rows"),
        ("data.csv", "name,size\na.png,3\n", "has no column of pictures, only name, size"),
        ("data.csv", "image,size\na.png,3\n", "has no column of texts or labels"),
        ("data.csv", "image,text\nnothing.png,a cat\n", "none of its 1 rows can be used; the first: row 1"),
        ("data.json", "{", "cannot be read as JSON"),
        ("data.json", '{"a.png": "x", "a.png": "y"}', "holds 'a.png' twice"),
        ("data.json", "[1, 2]", "JSON of no shape that is known"),
        ("data.json", "3", "JSON of no shape that is known"),
        ("data.jsonl", "\n", "is empty"),
        ("data.bin", "x", "is no data set that is known"),
        ("missing.csv", None, "does not exist"),
    ],
)
def test_what_is_no_data_set_is_refused_with_the_reason(folder, name, text, message):
    if text is not None:
        write(folder / name, text)

    with pytest.raises(InputError, match=message):
        read_dataset(folder / name)


def test_a_folder_with_a_table_beside_pictures_asks_for_the_file(tmp_path):
    save_textured(tmp_path / "images/a.png", 1)
    write(tmp_path / "example_train.csv", "image_path,text,label\nimages/a.png,a cat,1\n")

    with pytest.raises(InputError, match=r"holds example_train\.csv; give the path of the file"):
        read_dataset(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no pictures and no table"):
        read_dataset(tmp_path / "empty")
