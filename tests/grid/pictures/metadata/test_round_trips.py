"""Texts of all kinds come back from pictures as other programs read them: Pillow's chunks, comments, settings."""

from __future__ import annotations

import contextlib
import io
import json
import re

from clip_grid.grid.pictures.metadata import read_generation, read_picture
from clip_grid.grid.pictures.metadata.columns import clean, snake_case
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

_NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=10)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
_LINES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20)
_LABELS = ("Hires upscaler", "Variation seed", "Mask blur", "My Setting", "ControlNet 0", "Version")
_BEGINS = re.compile(r"\s*(?:Negative prompt:|Steps: )|.*<(?:lora|lyco)")
few = settings(max_examples=60)


def _saved(form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4)).save(stream, form, **options)
    return stream.getvalue()


def _is_utf8_by_chance(text: str) -> bool:
    with contextlib.suppress(UnicodeError):
        return not text.isascii() and bool(text.encode("latin-1").decode())
    return False


@few
@given(st.dictionaries(_NAMES, _TEXTS, max_size=4), st.booleans(), st.booleans())
def test_chunks_of_png_files_hold_what_pillow_finds(texts: dict[str, str], packed: bool, international: bool) -> None:
    info = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        info.add_itxt(name, text, "en", "x", zip=packed) if international else info.add_text(name, text, zip=packed)
    with Image.open(io.BytesIO(_saved("PNG", pnginfo=info))) as image:
        found = read_picture(image)[0]
        wanted = {name: str(text) for name, text in image.text.items()}

    assert wanted == texts
    # a text of Latin-1 whose bytes are UTF-8 too is taken for that, as many tools write it
    assume(not any(map(_is_utf8_by_chance, texts.values())))
    assert found == wanted


@few
@given(_TEXTS, st.sampled_from(["utf-16-be", "utf-16-le", "utf-16"]), st.sampled_from(["JPEG", "WEBP", "PNG"]))
def test_comments_are_decoded_whatever_their_byte_order(text: str, encoding: str, form: str) -> None:
    comment = f"x {text}\nSteps: 3, Sampler: Euler, Seed: 7"
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + comment.encode(encoding)
    with Image.open(io.BytesIO(_saved(form, exif=exif.tobytes()))) as image:
        found = read_picture(image)[0]

    assert clean(found["UserComment"]) == clean(comment)


def _quoted(value: str) -> str:
    """As AUTOMATIC1111's web UI writes the value of a setting."""
    return json.dumps(value, ensure_ascii=False) if re.search("[,:\r\n]", value) else value


@few
@given(
    st.lists(_LINES, max_size=3),
    st.lists(_LINES, max_size=2),
    st.integers(0, 2**64 - 1),
    st.dictionaries(st.sampled_from(_LABELS), _TEXTS.filter(lambda text: not text.strip().startswith('"')), max_size=3),
)
@example([], [], 0, {"Hires upscaler": "[", "Variation seed": "\r"})
def test_settings_of_the_web_ui_come_back(
    prompt: list[str], negative: list[str], seed: int, more: dict[str, str]
) -> None:
    assume(not any(map(_BEGINS.match, [*prompt, *negative])))
    pairs = {"Steps": "20", "Sampler": "DPM++ 2M", "CFG scale": "7.5", "Seed": str(seed), "Size": "64x32"} | more
    against = "\n".join(negative)
    lines = [*prompt, *([f"Negative prompt: {against}"] if against else [])]
    lines.append(", ".join(f"{label}: {_quoted(value)}" for label, value in pairs.items()))

    found = read_generation({"parameters": "\n".join(lines)}).values

    wanted = {"seed": str(seed), "steps": "20", "sampler": "DPM++ 2M", "cfg": "7.5", "width": "64", "height": "32"}
    wanted |= {"prompt": _stripped(prompt), "negative": _stripped(negative)}
    wanted |= {snake_case(label): clean(value) for label, value in more.items()}
    no_value = {"", "none", "null", "undefined"}
    assert {name: text for name, text in found.items() if name != "loras"} == {
        name: text for name, text in wanted.items() if text.lower() not in no_value
    }


def _stripped(lines: list[str]) -> str:
    return "\n".join(line.strip() for line in lines).strip()


def test_a_prompt_that_begins_like_named_json_is_a_prompt() -> None:
    for prompt in ("style: [cat:dog:0.5], a hill", "photo: {red|blue} car", 'girl: "hello"'):
        exif = Image.Exif()
        comment = f"{prompt}\nSteps: 3, Sampler: Euler, Seed: 7"
        exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + comment.encode("utf-16-be")
        with Image.open(io.BytesIO(_saved("JPEG", exif=exif.tobytes()))) as image:
            values = read_picture(image)[1].values

        assert (values["prompt"], values["seed"]) == (prompt, "7")
