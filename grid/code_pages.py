"""Which code page a text was written in: the one in which its bytes make the likeliest text.

Each code page has a model of single characters: classes of characters and the share of each in usual text, and what is
unlikely beside each other, such as a capital behind a small letter. The likelihoods of all characters are multiplied.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

#: Bytes of the lines with letters beyond ASCII by which the code page is found.
_TRIED = 20_000
#: Likelihoods are natural logarithms: that of a character of ASCII, of one that is hardly ever written, and the mean of
#: the bytes beyond ASCII below which no code page fits.
_ASCII, _RARE, _LEAST = -3.0, -13.0, -6.3
_UNLIKELY_PAIR, _CAPITAL = -4.0, -2.3
#: What the share of a code page may cost a short text.
_SLACK = -3.0
_QUOTES, _SIGNS = "“”„‘’‚–—…«»", "€°·×£©®™§½²³µ№¿¡"


@dataclass(frozen=True)
class CodePage:
    """A code page: Python's name, its share among such files, and the likelihood of its letters."""

    codec: str
    share: float
    likelihood: Callable[[str], float]
    #: Whether its letters stand in words with those of ASCII.
    latin: bool = False


def find_code_page(raw: bytes) -> str:
    """Python's name of the code page that fits the bytes best; empty when none does. All bytes can be decoded in it."""
    sample = b"\n".join(line for line in raw.splitlines() if not line.isascii())
    if len(sample) > _TRIED:
        # up to a blank or the like, so that no character is cut
        sample = sample[: max(sample.rfind(mark, 0, _TRIED) for mark in (b"\n", b" ", b",")) + 1] or sample
    beyond = sum(byte > 127 for byte in sample)
    best, most = "", _SLACK + _LEAST * beyond + _ASCII * (len(sample) - beyond)
    for page in _PAGES:
        if (text := _decoded(raw, sample, page.codec)) and (fit := _fit(text, page)) > most:
            best, most = page.codec, fit
    return best


def _decoded(raw: bytes, sample: bytes, codec: str) -> str:
    """The sample as text; empty if a byte of it or of the whole is no character of the code page."""
    try:
        text = sample.decode(codec)
        raw.decode(codec)
    except UnicodeDecodeError:
        return ""
    return text


def _fit(text: str, page: CodePage) -> float:
    """The logarithm of the likelihood of the text."""
    fit, last = math.log(page.share), " "
    for char in text:
        fit += _ASCII if char.isascii() else page.likelihood(char)
        if char.isalpha() and last.isalpha():
            mixed = char.isascii() != last.isascii()
            beside = mixed if not page.latin else not (char.isascii() or last.isascii())
            if (beside and char.lower() != char.upper()) or (char.isupper() and last.islower()):
                fit += _UNLIKELY_PAIR
        if char.isupper() and not char.isascii() and not last.isupper():
            fit += _CAPITAL
        last = char
    return fit


def _share(share: float, count: int) -> float:
    """The likelihood of one of so many equally likely characters, which have this share in usual text."""
    return math.log(share / count)


@lru_cache(100_000)
def _letter(char: str, *, common: str, rare: str) -> float:
    """A letter of an alphabet, large or small, or a mark."""
    classes = ((common, 0.75), (rare, 0.15), (_QUOTES, 0.08), (_SIGNS, 0.02))
    shares = ((letters, share) for letters, share in classes if char.lower() in letters)
    return next((_share(share, len(letters)) for letters, share in shares), _RARE)


@lru_cache(100_000)
def _sinogram(char: str, *, codec: str, first: range, kana: bool = False) -> float:
    """A character of East Asia. first: the lead bytes of the frequent ones in the national standard ``codec``."""
    if kana and "\u3041" <= char <= "\u3096":
        return _share(0.45, 83)
    if kana and "\u30a1" <= char <= "\u30fc":
        return _share(0.2, 86)
    if "\u3000" <= char <= "\u303f" or "\uff01" <= char <= "\uff5e":
        return _share(0.05, 120)
    if not "\u4e00" <= char <= "\u9fff":
        return _RARE
    lead = _lead(char, codec)
    return _share(0.3 if kana else 0.9, 94 * len(first)) if lead in first else _share(0.01, 4000) if lead else _RARE


@lru_cache(100_000)
def _hangul(char: str) -> float:
    if "\uac00" <= char <= "\ud7a3":
        return _share(0.95, 2350) if _lead(char, "euc_kr") else _share(0.002, 8822)
    return _share(0.04, 120) if "\u3000" <= char <= "\u303f" or "\uff01" <= char <= "\uff5e" else _RARE


def _lead(char: str, codec: str) -> int:
    """The first byte of a character in a code page; 0 if it is not in it."""
    return char.encode(codec, "ignore")[:1].ljust(1, b"\0")[0]


def _alphabet(common: str, rare: str) -> Callable[[str], float]:
    return partial(_letter, common=common, rare=rare)


_WEST = _alphabet("éèàçáíóúñãêüöä", "ëâåîïôòõøûùßæœìÿš")
_MIDDLE = _alphabet("ąćęłńóśżčšžěřáíéý", "źůúäöüßőűșăţşďťňôîâđ")
_TURKISH = _alphabet("ışğçöü", "âîû")
_BALTIC = _alphabet("āšžėįųūčī", "ēģķļņąęõäöü")
_CYRILLIC = _alphabet("оеаинтсрвлкмдпу", "яыьгзбчйхжшюцщэфъёіїєґўј")
_GREEK = _alphabet("αοιετσνηυρπκμλςάίέόήώ", "ύδγχθφβξζψϊϋ")
_HEBREW = _alphabet("יוהלארתבשםמנ", "דעקחספגטכזןצךףץ")
_ARABIC = _alphabet("اليمونترةبدعسفهكقحج", "شصطذخىضزثغظءأإآئؤپچژگ،؟")
_THAI = _alphabet("านรอกเงมยลวดทสตะปบคหแจพช", "ขใไโผซถศณษธญภฟฝฉฐฎฏฮฬฆฑฒิีึืุู่้็์ัำๆ๊๋ฯ")
_JAPANESE = partial(_sinogram, codec="euc_jp", first=range(0xB0, 0xD0), kana=True)
_PAGES = (
    CodePage("cp1252", 0.3, _WEST, latin=True),
    CodePage("gb18030", 0.2, partial(_sinogram, codec="gb2312", first=range(0xB0, 0xD8))),
    CodePage("cp932", 0.1, _JAPANESE),
    CodePage("cp1251", 0.1, _CYRILLIC),
    CodePage("big5hkscs", 0.06, partial(_sinogram, codec="big5", first=range(0xA4, 0xC7))),
    CodePage("cp949", 0.06, _hangul),
    CodePage("cp1250", 0.05, _MIDDLE, latin=True),
    CodePage("cp1254", 0.03, _TURKISH, latin=True),
    CodePage("cp1253", 0.02, _GREEK),
    CodePage("cp1255", 0.02, _HEBREW),
    CodePage("cp1256", 0.02, _ARABIC),
    CodePage("cp874", 0.02, _THAI),
    CodePage("mac_roman", 0.01, _WEST, latin=True),
    CodePage("cp1257", 0.01, _BALTIC, latin=True),
    CodePage("cp850", 0.005, _WEST, latin=True),
    CodePage("cp866", 0.005, _CYRILLIC),
    CodePage("iso8859_2", 0.005, _MIDDLE, latin=True),
    CodePage("koi8_r", 0.005, _CYRILLIC),
    CodePage("euc_jp", 0.005, _JAPANESE),
)
#: Python's names of all code pages that are known here, most frequent first.
CODE_PAGES = tuple(page.codec for page in _PAGES)
