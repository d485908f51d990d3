"""Tables in the code pages that spreadsheets write keep every letter."""

from __future__ import annotations

import time

import pytest
from clip_grid.grid.code_pages import find_code_page

TEXTS = [
    ("gbk", "一只橘色的猫\n一只黑狗\n红色的狐狸"),
    ("gbk", "城市夜景，赛博朋克风格\n写实人像"),
    ("gbk", "猫"),
    ("shift_jis", "オレンジ色の猫\n黒い犬\n赤い狐"),
    ("shift_jis", "東京タワー"),
    ("euc_jp", "オレンジ色の猫"),
    ("big5", "一隻橘色的貓\n一隻黑狗\n紅色的狐狸"),
    ("big5", "夜晚的城市"),
    ("cp949", "주황색 고양이\n검은 개\n빨간 여우"),
    ("cp1251", "рыжий кот\nчёрная собака\nлиса"),
    ("cp1251", "КОШКА НА КРЫШЕ"),
    ("koi8_r", "рыжий кот"),
    ("cp866", "рыжий кот\nчёрная собака"),
    ("cp1252", "café au lait\ngrüne Wiese\nnaïve"),
    ("cp1252", "niño feliz"),
    ("cp1252", "“cat” – dog"),
    ("cp1252", "30° Winkel"),
    ("cp1252", "MÜNCHEN"),
    ("cp1250", "żółty kot\nczarny pies\nświeża trawa"),
    ("iso8859_2", "żółty kot\nczarny pies\nświeża trawa"),
    ("cp1253", "πορτοκαλί γάτα\nμαύρος σκύλος"),
    ("cp1254", "turuncu şişman kedi\nçılgın ığdır"),
    ("cp1255", "חתול כתום\nכלב שחור"),
    ("cp1256", "قطة برتقالية\nكلب أسود"),
    ("cp874", "แมวสีส้ม\nหมาดำ"),
    ("mac_roman", "café\nüber"),
    ("cp850", "café à la crème"),
]


@pytest.mark.parametrize(("encoding", "labels"), TEXTS, ids=[f"{name} {text[:8]!r}" for name, text in TEXTS])
def test_the_code_page_is_found_by_few_letters(encoding: str, labels: str):
    lines = (f"picture_{index}.png,{label},7.5\r\n" for index, label in enumerate(labels.split("\n")))
    text = "filename,label,cfg\r\n" + "".join(lines)
    raw = text.encode(encoding)

    assert raw.decode(find_code_page(raw)) == text


def test_bytes_of_no_language_have_no_code_page():
    assert find_code_page(bytes(range(128, 256)) * 4) == ""


def test_a_large_table_takes_no_longer_than_its_beginning():
    raw = "a.png,一只橘色的猫\n".encode("gbk") * 200_000
    started = time.process_time()

    assert find_code_page(raw) == "gb18030"
    assert time.process_time() - started < 3
