from __future__ import annotations

import csv
import json
from collections import Counter

import numpy as np
import pytest
from clip_grid.clip_backend.learning.data.checks import CHECKS, check_examples
from clip_grid.clip_backend.learning.data.inspect import inspect_pictures
from clip_grid.clip_backend.learning.data.prepare import prepare_data
from clip_grid.clip_backend.learning.data.read import read_dataset
from clip_grid.clip_backend.learning.data.report import COLUMNS, SHOWN, DataReport
from clip_grid.clip_backend.learning.data.splits import Shares
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from clip_grid.commands.shape_drawing import COLOURS, SHAPES, Scene, draw
from clip_grid.errors import InputError, OutputError
from PIL import Image

from .textured import save_textured, textured

#: Sound rows in front of and between the faults.
SOUND = 60


def findings_of(path, input_size=None):
    data = read_dataset(path)
    findings, left_out = check_examples(data, inspect_pictures(data), input_size)
    return [*data.findings, *findings], left_out


def rows_of(findings):
    return sorted((one.check, one.row) for one in findings)


def make_faulty_pictures(folder):
    """Pictures that are broken or odd, each in its own way."""
    whole = save_textured(folder / "truncated.png", 1001).read_bytes()
    (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (folder / "no_picture.png").write_text("this is a text")
    (folder / "empty.png").write_bytes(b"")
    (folder / "folder.png").mkdir()
    frames = [textured(1002), textured(1003)]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    save_textured(folder / "small.png", 1004, (20, 30))
    Image.new("RGB", (48, 48), "grey").save(folder / "blank.png")
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)).save(folder / "noise.png")
    # the same pixels as a sound one, in a file of its own
    textured(0).save(folder / "copy.png", compress_level=9)
    textured(1).save(folder / "other_name.png", compress_level=9)


#: Rows of a set of pairs, each with the check that must find it.
FAULTS = [
    ("missing.png,a text,1", "missing-picture"),
    ("https://example.org/a.png,a text,1", "missing-picture"),
    ("folder.png,a text,1", "missing-picture"),
    ("truncated.png,a text,1", "unreadable-picture"),
    ("no_picture.png,a text,1", "unreadable-picture"),
    ("empty.png,a text,1", "unreadable-picture"),
    ("animated.gif,frames,1", "animated"),
    ("small.png,a small one,1", "small-picture"),
    ("blank.png,nothing,1", "blank-picture"),
    ("noise.png,noise,0", "blank-picture"),
    ("0010.png,,1", "no-text"),
    (",a text,1", "no-picture"),
    ("0011.png,another text,maybe", "bad-label"),
    ("0012.png,another text,", "no-label"),
    ("0013.png,a text, with commas,1", "columns"),
    ("0014.png,caf\udce9,1", "encoding"),
    ("0015.png,cafÃ© noir,1", "garbled-text"),
    ("0016.png,text 16,0", "duplicate-row"),
    ("other_name.png,a new text,1", "same-picture"),
    ("copy.png,text 0,1", "contradicting-labels"),
]


def test_twenty_planted_faults_are_found_in_their_rows_and_nothing_else(tmp_path):
    make_faulty_pictures(tmp_path)
    for seed in range(SOUND):
        save_textured(tmp_path / f"{seed:04}.png", seed)
    lines = [f"{seed:04}.png,text {seed},{seed % 2}" for seed in range(SOUND)]
    wanted = [("contradicting-labels", 1)]
    for place, (line, check) in enumerate(FAULTS):
        # blank lines count for nothing
        lines += ["", line] if place == 3 else [line]
        wanted.append((check, SOUND + 1 + place))
    table = tmp_path / "data.csv"
    table.write_bytes("\n".join(["image_path,text,label", *lines]).encode("utf-8", "surrogateescape"))

    findings, left_out = findings_of(table, input_size=32)

    assert len(FAULTS) == 20
    assert rows_of(findings) == sorted(wanted)
    in_text = table.read_bytes().decode("utf-8", "replace").split("\n")
    for one in findings:
        # the line is that of the file, blank ones and the header included
        assert one.row is not None
        assert one.line == one.row + (1 if one.row < SOUND + 4 else 2)
        assert one.picture in in_text[one.line - 1]
        assert one.where == f"row {one.row} (line {one.line})"
        assert one.check in CHECKS
    rows = {read_dataset(table).examples[place].row for place in left_out}
    assert rows == {1, SOUND + 4, SOUND + 5, SOUND + 6, SOUND + 18, SOUND + 20}


def test_a_clean_set_of_1000_has_no_findings(tmp_path):
    for seed in range(1000):
        save_textured(tmp_path / f"{seed:04}.bmp", seed, (32, 32))
    pairs = [f"{seed:04}.bmp,number {seed},{seed % 2}" for seed in range(1000)]
    (tmp_path / "pairs.csv").write_text("\n".join(["image_path,text,label", *pairs]))

    prepared = prepare_data(tmp_path / "pairs.csv")

    assert prepared.report.findings == ()
    assert prepared.report.status == "ok"
    assert prepared.split.reasons == {}
    assert Counter(prepared.split.parts).keys() == {"train", "val", "test"}
    # the same pictures as captions and as classes
    for kind, line in (("captions", "{0:04}.bmp,caption {0},"), ("classes", "{0:04}.bmp,,class {1}")):
        (tmp_path / "other.csv").write_text(
            "image,text,label\n" + "\n".join(line.format(i, i % 7) for i in range(1000))
        )
        other = read_dataset(tmp_path / "other.csv")
        assert (other.kind, other.findings) == (kind, ())
        assert check_examples(other, prepared.inspected, 32) == ([], set())


def table_of(folder, header, rows):
    (folder / "data.csv").write_text("\n".join([header, *rows]), "utf-8")
    return folder / "data.csv"


@pytest.fixture
def pictures(tmp_path):
    """The folder with the pictures 0.png to 49.png."""
    for seed in range(50):
        save_textured(tmp_path / f"{seed}.png", seed)
    return tmp_path


def test_classes_of_one_name_or_few_examples_are_told(pictures):
    labels = ["cat"] * 44 + ["Cat"] * 2 + ["dog"] * 4
    table = table_of(pictures, "image,label", [f"{place}.png,{label}" for place, label in enumerate(labels)])

    findings, _ = findings_of(table)

    others = [one for one in findings if one.check != "few-examples"]
    assert rows_of(others) == [("imbalance", None), ("similar-classes", 45)]
    few = [one.message for one in findings if one.check == "few-examples"]
    assert [message.split(";")[0] for message in few] == [
        "the class 'Cat' has only 2 of 20 examples", "the class 'dog' has only 4 of 20 examples",
    ]  # fmt: skip


def rows_where(findings, check):
    return [one.row for one in findings if one.check == check]


def test_one_class_only_and_one_picture_only_stop_a_training(pictures):
    one_class = prepare_data(table_of(pictures, "image,label", [f"{place}.png,cat" for place in range(50)]))
    one_label = prepare_data(table_of(pictures, "image,text,label", [f"{place}.png,t{place},1" for place in range(50)]))
    one_picture = prepare_data(table_of(pictures, "image,text", ["0.png,a", "0.png,b"]))

    for prepared, check in ((one_class, "one-class"), (one_label, "one-class"), (one_picture, "one-picture")):
        assert [one.check for one in prepared.report.stops] == [check]
        assert prepared.report.status == "errors"
        with pytest.raises(InputError, match="cannot be trained on"):
            prepared.report.check_trainable()


def test_pictures_with_two_classes_are_left_out_and_both_rows_are_named(pictures):
    rows = [f"{place}.png,{('cat', 'dog')[place % 2]}" for place in range(50)]
    prepared = prepare_data(table_of(pictures, "image,label", [*rows, "4.png,dog"]))

    assert rows_where(prepared.report.findings, "contradicting-labels") == [5, 51]
    assert prepared.report.left_out == {4, 50}
    assert {prepared.split.parts[place] for place in (4, 50)} == {""}
    prepared.report.check_trainable()


def test_one_text_of_several_pictures_is_told_in_a_set_of_captions(pictures):
    rows = [f"{place}.png,caption {place}" for place in range(48)]
    findings, _ = findings_of(table_of(pictures, "image,text", [*rows, "48.png,Caption  7", "49.png,caption 7"]))

    assert rows_of(findings) == [("repeated-text", 49), ("repeated-text", 50)]
    assert findings[0].message == "its text is that of row 8 too, so that the two teach no difference"


def test_parts_of_the_data_set_that_share_a_picture_are_a_leak(pictures):
    textured(3).resize((40, 40)).save(pictures / "again.jpg", quality=80)
    rows = [f"{place}.png,t{place},{place % 2},{('train', 'test')[place % 5 == 0]}" for place in range(50)]
    table = table_of(pictures, "image,text,label,split", [*rows, "again.jpg,t,1,test", "49.png,other,0,trial"])

    prepared = prepare_data(table)

    leaks = [one for one in prepared.report.findings if one.check == "leak"]
    assert [(one.severity, one.row, one.picture) for one in leaks] == [("error", 51, "again.jpg")]
    assert leaks[0].message.startswith("it is in test, and row 4, a copy or a part of it, is in train")
    assert rows_where(prepared.report.findings, "unknown-part") == [52]
    assert prepared.report.stops == tuple(leaks)
    assert prepared.split.parts[50] == "test"
    # the data set has no val, so it is taken out of its train part
    assert prepared.split.val
    assert {prepared.dataset.examples[place].part for place in prepared.split.val} == {"train"}


def test_rows_of_several_files_are_told_with_their_file(pictures):
    train = table_of(pictures, "image,text,label", [f"{place}.png,t{place},{place % 2}" for place in range(40)])
    rows = ["missing.png,t,1", "7.png,t7,1", *(f"{place}.png,t{place},{place % 2}" for place in range(40, 50))]
    (pictures / "val.csv").write_text("\n".join(["image,text,label", *rows]))

    report = prepare_data(train, parts={"val": pictures / "val.csv"}, shares=Shares(val=0, test=0)).report

    assert [(one.check, one.where) for one in report.findings if one.severity == "error"] == [
        ("missing-picture", "row 1 (line 2) of val.csv"), ("leak", "row 2 (line 3) of val.csv"),
    ]  # fmt: skip
    assert (len(report.split.val), len(report.split.train)) == (11, 40)


def test_findings_are_capped_in_the_report_and_whole_in_the_file(pictures, tmp_path):
    rows = [f'missing{place}.png,"=1+1, ""é""",1' for place in range(30)]
    report = prepare_data(table_of(pictures, "image,text,label", ["0.png,a,1", "1.png,b,0", *rows])).report

    (errors,) = [one for one in report.to_dict()["checks"] if one["severity"] == "error"]
    assert (errors["check"], errors["count"], len(errors["findings"])) == ("missing-picture", 30, SHOWN)
    assert json.loads(json.dumps(report.to_dict()))["errors"] == 30
    target = tmp_path / "findings.csv"
    report.save_findings(target)
    with target.open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert tuple(read[0]) == COLUMNS
    assert [row["row"] for row in read if row["check"] == "missing-picture"] == [str(place) for place in range(3, 33)]
    assert len(read) == len(report.findings)
    # its own file is replaced, a foreign one is not
    report.save_findings(target)
    target.write_text("mine")
    with pytest.raises(OutputError, match="holds no findings"):
        report.save_findings(target)
    assert target.read_text() == "mine"
    report.save_findings(target, overwrite=True)


def test_no_report_tells_a_folder_of_this_machine(pictures):
    rows = [f"{pictures / f'{place}.png'},t{place},{place % 2}" for place in range(20)]
    prepared = prepare_data(table_of(pictures, "image,text,label", [*rows, "0.png,t0,0"]))

    told = json.dumps(prepared.report.to_dict()) + prepared.split.to_json()
    assert rows_where(prepared.report.findings, "duplicate-row") == [21]
    assert str(pictures) not in told


@pytest.fixture(scope="module")
def encoder():
    return load_encoder(shapes_demo_path())


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder of 48 drawings with captions that are true, in a file."""
    folder = tmp_path_factory.mktemp("drawn")
    rng = np.random.default_rng(5)
    lines = []
    for place in range(48):
        colour, shape = COLOURS[place % 6], SHAPES[place // 6]
        scene = Scene(kind="shape", colour=colour, shape=shape, size="large", background=COLOURS[6 + place % 2])
        draw(scene, 64, rng).save(folder / f"{place}.png")
        lines.append((f"{place}.png", f"a {colour} {shape} on {scene.background}"))
    return folder, lines


def write_captions(folder, lines):
    return table_of(folder, "image,text", [",".join(line) for line in lines])


def test_the_model_finds_no_fault_in_true_captions(drawn, encoder):
    prepared = prepare_data(write_captions(*drawn), encoder=encoder)

    assert prepared.report.findings == ()
    assert prepared.report.lost_to_others < 0.1
    assert prepared.report.unchecked == ()
    assert prepared.split.reasons == {}


def test_the_model_names_wrong_and_long_captions(drawn, encoder):
    folder, lines = drawn
    wrong = [*lines]
    wrong[7] = ("7.png", "a dog in the rain")
    wrong[20] = ("20.png", lines[20][1] + " and so on" * 40)

    report = prepare_data(write_captions(folder, wrong), encoder=encoder).report

    assert rows_where(report.findings, "long-text") == [21]
    assert rows_where(report.findings, "label-noise") == [8]


def test_captions_of_other_pictures_are_told_once(drawn, encoder):
    folder, lines = drawn
    texts = [text for _, text in lines]
    # seven places on, neither colour nor shape is right
    moved = [(name, text) for (name, _), text in zip(lines, [*texts[7:], *texts[:7]], strict=True)]

    report = prepare_data(write_captions(folder, moved), encoder=encoder).report

    (noise,) = [one for one in report.findings if one.check == "label-noise"]
    assert noise.row is None
    assert report.lost_to_others > 0.4


def test_without_a_model_it_is_said_what_was_not_checked(pictures):
    report = prepare_data(table_of(pictures, "image,text", [f"{place}.png,t{place}" for place in range(50)])).report

    assert report.unchecked == ("sizes of pictures, lengths of texts and unlikely labels: they need a model",)
    assert isinstance(report, DataReport)


@pytest.mark.parametrize("shares", [{"val": -0.1}, {"val": 0.5, "test": 0.5}])
def test_shares_that_leave_nothing_to_train_on_are_refused(shares):
    with pytest.raises(InputError, match="together less than 1"):
        Shares(**shares)
