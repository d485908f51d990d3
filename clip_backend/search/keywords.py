"""Words found in prompts: by SQLite's full text search where it has that, else text by text.

Words are split as Unicode has it (``unicode61``), without case and accents, and the last word of a search may be the
beginning of one: "fox" finds "foxes", and not "firefox". Chinese, Japanese, Thai and their like put no spaces between
words, so there each letter counts as a word, and words are found as letters in a row. Pieces of three letters
(``trigram``) would find neither words of two letters there nor tags such as "hd", and fill twice the space.
"""

from __future__ import annotations

import re
import sqlite3

import numpy as np

from ..scoring.scales import UNSPACED
from .database import PROMPT_COLUMNS, has_full_text
from .index import Ids, Index, folded

#: So many pictures that have the words are ranked.
MOST_FOUND = 1000
#: More words are left out.
MOST_WORDS = 32
#: Words that a search does without where it has others: texts that ask for pictures have them, prompts often do not.
_LINKS = frozenset(("a", "an", "and", "at", "by", "for", "from", "in", "is", "of", "on", "or", "the", "to", "with"))
_PART = re.compile(r'"([^"]*)"?|(\S+)')
#: What full text search takes for a letter of a word, roughly: a part without any says nothing.
_LETTER = re.compile(r"[^\W_]")


def indexed_text(prompt: str) -> str:
    """A prompt as it is given to full text search: letters of scripts without word spaces stand apart."""
    return UNSPACED.sub(r" \g<0> ", prompt)


def words_of(text: str) -> list[str]:
    """The words of a search, and what stands in double quotes as one; without links such as "of" if others remain."""
    parts = [quoted or word for quoted, word in _PART.findall(text)]
    parts = [part for part in parts if _LETTER.search(part)][:MOST_WORDS]
    return [part for part in parts if part.casefold() not in _LINKS] or parts


def pictures_with(index: Index, text: str, *, most: int = MOST_FOUND) -> Ids:
    """The pictures whose prompt has all words of a text, the best first; none for a text without words.

    most: so many of them at most; -1 for all.
    The best are those in which the words are rare among prompts, frequent in the prompt, and the prompt short (BM25);
    without full text search those whose prompt is the shortest.
    """
    words = words_of(text)
    if not words:
        return np.empty(0, np.int64)
    found: Ids = index.asked(lambda connection: _found(connection, words, most))
    return found


def _found(connection: sqlite3.Connection, words: list[str], most: int) -> Ids:
    prompt = PROMPT_COLUMNS[0]
    if has_full_text(connection):
        # within double quotes full text search reads everything as words
        quoted = [f'"{indexed_text(word.replace(chr(34), " ").replace(chr(0), " "))}"' for word in words]
        match = f"{prompt} : ({' AND '.join(quoted)} *)"
        sql = "SELECT rowid FROM prompts WHERE prompts MATCH ? ORDER BY bm25(prompts), rowid LIMIT ?"
        rows = connection.execute(sql, (match, most))
    else:
        conditions = " AND ".join(["instr(folded(text), ?) > 0"] * len(words))
        sql = f"SELECT picture FROM properties WHERE name = ? AND {conditions} ORDER BY length(text), picture LIMIT ?"
        rows = connection.execute(sql, (prompt, *map(folded, words), most))
    return np.array([picture for (picture,) in rows], np.int64)
