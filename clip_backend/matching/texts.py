"""Texts before they are encoded: checked, without the syntax of prompts, and split into phrases."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from ...errors import InputError

#: Kinds of <kind:name:weight>; others, such as <http://example.org>, are no syntax.
_TAG_KINDS = "lora|lyco|lycoris|locon|loha|lokr|hypernet|hypernetwork|embed|embedding"
#: BREAK is a word after these and before those, and beside longer words in capitals.
_BEFORE_BREAK = (
    r"(?-i:(?!BREAK)[A-Z]{4,})|an?|the|this|that|his|her|their|my|your|our|no|tea|to|says?|saying|said|reads?|reading|"
    r"spells?|spelling|words?|text|letters|called|named|titled|labell?ed|written|printed"
)
_AFTER_BREAK = r"(?-i:(?!BREAK)[A-Z]{4,})|sign|logo|text|lettering|letters|word|key|button|room|time"
_TOKENS = re.compile(
    r"(?P<escape>\\[()\[\]{}])"
    rf"|(?P<tag><(?:{_TAG_KINDS}):[^<>\n]+>)"
    # a weight after it is a part of it, unless it ends brackets
    r"|(?P<embedding>(?<![\w-])embedding:[^\s,:()\[\]{}<>]+(?::\d?\.?\d+(?![.\d]|\s*[)\]}]))?)"
    rf"|(?P<pause>(?<![^\s,()>])(?-i:BREAK)(?![^\s,(<]|[^\S\n]+(?:{_AFTER_BREAK})\b))"
    r"|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<colon>:)"
    # letters, or a sign that is no punctuation, such as an emoji
    rf"|(?P<words>\b(?:{_BEFORE_BREAK})[^\S\n]+(?-i:BREAK)\b|[^\W\d_]+|[^\w\s!-~])",
    re.IGNORECASE,
)
_OPENINGS = {")": "(", "]": "[", "}": "{"}
_WEIGHT = re.compile(r"[-+]?(?:\d(?:\.\d*)?|\.\d+)")
_STEP = re.compile(r"\d{1,3}(?:\.\d*)?|\.\d+")
_FRACTION = re.compile(r"0?\.\d+")
#: No number in brackets is longer than this.
_LONGEST = 24
_ENDS_IN_NUMBER = re.compile(r"(?:^|[\s,:])[-+]?\d+(?:[.,]\d+)?\s*$")
_FORMULA = re.compile(r"[=+*/^<>|\\]")
_SPACES = re.compile(r"[^\S\n]+")
_ORPHANS = re.compile(r"(?:\s*,)+")
#: So many examples of what was left out are told, each of so many letters.
_EXAMPLES, _LETTERS = 3, 40
#: A clause of more words than these is split before its prepositions too.
MOST_WORDS = 4
#: The end of a text with more phrases than these is one phrase.
MOST_PHRASES = 64
#: Not the comma of 1,000, the colon of 16:9 nor the stops of "5 p.m.".
_BETWEEN = re.compile(
    r"(?:[\n|;，。；：、！？]|(?<!\d),|,(?!\d)|[:!?](?=\s|$)|(?<=\w\w)\.(?=\s|$)|\s[-–—]+\s)[\s,.:;!?|]*"
)
_LINKS = (
    r"in\s+front\s+of|on\s+top\s+of|next\s+to|on|onto|in|into|inside|at|under|underneath|over|above|below|beneath|"
    r"near|behind|beside|beyond|between|among|against|across|along|around|through|by|with|"
    r"(?:and|while)(?=\s+(?:an?|the|his|her|their|its|some|many|one|two|three)\s)"
)
_VERBS = r"wearing|holding|carrying|riding|without"
#: Before a preposition or conjunction, which is left out of the phrase, or before a verb, which is a part of it.
_INSIDE = re.compile(rf"\s+((?:(?:{_LINKS})\s+)+)(?=\S)|\s+(?=(?:{_VERBS})\s)", re.IGNORECASE)
_LEADING = re.compile(rf"^(?:(?:{_LINKS})\s+)+(?=\S)", re.IGNORECASE)
_WORD = re.compile(r"\w")


@dataclass(frozen=True)
class PlainTexts:
    """Texts without prompt syntax."""

    texts: tuple[str, ...]
    #: From how many texts it was left out, with examples; empty if from none.
    notes: tuple[str, ...] = ()


@dataclass(kw_only=True)
class _Brackets:
    """A pair of brackets, and what stands between them."""

    kind: str
    start: int
    end: int = 0
    #: The colons between them that are not in brackets of their own.
    colons: list[int] = field(default_factory=list)
    has_words: bool = False
    #: Whether they hold brackets of their kind and nothing else.
    are_doubled: bool = False


#: Start and end of a part of a prompt, and what replaces it.
_Edit = tuple[int, int, str]


def plain_text(prompt: str) -> str:
    r"""A prompt for picture generators without its syntax; a text that has none is returned unchanged.

    Syntax in every text: a weight, (cat:1.2), which is a number below 10 in round brackets and joins a word; a switch,
    [cat:dog:0.5] or [dog:0.5], of which the dog remains that the picture ends with; <lora:name:0.8> and its like;
    embedding:name; \( for a bracket; BREAK between two parts, which becomes a comma, unless it seems to be a word, as
    in COFFEE BREAK; and doubled brackets around words, ((cat)), of which [[cat]] and {{cat}} must stand between commas.
    Syntax only beside some of these: (cat), [cat] and {cat}, which become cat, and numbers after a space or of steps,
    (cat: 1.2) and [cat:10]. Brackets without words, (16:9), or that join a word, cat(black), remain.
    Empty if nothing is left.
    """
    return _read(prompt)[0]


def _read(prompt: str) -> tuple[str, list[str]]:
    """The plain text, and the syntax that was left out or replaced."""
    edits, pauses, brackets = _scan(prompt)
    if not (
        edits
        or any(prompt[:start].strip(" ,\n") and prompt[end:].strip(" ,\n") for start, end in pauses)
        or any(_before_number(prompt, one, is_prompt=False) or _emphasise_alone(prompt, one) for one in brackets)
    ):
        return prompt, []
    edits += [(start, end, ",") for start, end in pauses]
    spans = [(start, end) for start, end, _ in edits]
    for one in brackets:
        if kept := _before_number(prompt, one, is_prompt=True) or _emphasised(prompt, one):
            edits += [(one.start, kept[0], ""), (kept[1], one.end + 1, "")]
            spans.append((one.start, one.end + 1))
    return _edited(prompt, sorted(edits)), _outermost(prompt, sorted(spans))


def _scan(prompt: str) -> tuple[list[_Edit], list[tuple[int, int]], list[_Brackets]]:
    """The edits of escapes, tags and embeddings; each BREAK between parts; all brackets, inner ones first."""
    edits: list[_Edit] = []
    pauses: list[tuple[int, int]] = []
    opened: list[_Brackets] = []
    closed: list[_Brackets] = []
    for token in _TOKENS.finditer(prompt):
        (start, end), kind = token.span(), token.lastgroup
        if kind == "escape":
            edits.append((start, end, prompt[start + 1]))
        elif kind in ("tag", "embedding"):
            edits.append((start, end, ""))
        elif kind == "pause":
            pauses.append((start, end))
        elif kind == "open":
            opened.append(_Brackets(kind=token[0], start=start))
        elif kind == "close" and opened and opened[-1].kind == _OPENINGS[token[0]]:
            inside = [(one.kind, one.start, one.end) for one in closed[-1:]]
            one = opened.pop()
            one.end, one.are_doubled = start, inside == [(one.kind, one.start + 1, start - 1)]
            closed.append(one)
            if opened:
                opened[-1].has_words |= one.has_words
        elif kind == "colon" and opened:
            opened[-1].colons.append(start)
        if kind in ("tag", "embedding", "words") and opened:
            opened[-1].has_words = True
    return edits, pauses, closed


def _before_number(prompt: str, one: _Brackets, *, is_prompt: bool) -> tuple[int, int] | None:
    """The span that remains of brackets that end in a weight, a fraction or a step; None for others.

    is_prompt: whether the text has other syntax, so that a number may follow a space or be that of a step.
    """
    if not one.colons or not one.has_words or one.end - one.colons[-1] > _LONGEST:
        return None
    *others, last = one.colons
    number = prompt[last + 1 : one.end]
    if one.kind != "[":
        form, spans = _WEIGHT, [(one.start + 1, last)]
    elif others:
        form, spans = _STEP, [(one.start + 1, others[-1]), (others[-1] + 1, last)]
    else:
        form, spans = _STEP if is_prompt else _FRACTION, [(one.start + 1, last)]
    if not is_prompt and (one.kind == "{" or (prompt[last - 1].isspace() and "." not in number)):
        return None
    is_ratio = any(_ENDS_IN_NUMBER.search(prompt[max(start, end - _LONGEST) : end]) for start, end in spans)
    return spans[-1] if form.fullmatch(number.strip() if is_prompt else number) and not is_ratio else None


def _emphasised(prompt: str, one: _Brackets) -> tuple[int, int] | None:
    """The span between brackets around words; None for others, and for those that join a word, as in f(x)."""
    joins = one.start > 0 and _WORD.match(prompt, one.start - 1)
    return (one.start + 1, one.end) if one.has_words and not joins else None


def _emphasise_alone(prompt: str, one: _Brackets) -> bool:
    """Whether doubled brackets are emphasis in a text without other syntax; see ``plain_text``."""
    before, after = prompt[max(0, one.start - 9) : one.start], prompt[one.end + 1 : one.end + 10]
    ends = {before.rstrip(" ")[-1:], after.lstrip(" ")[:1]}
    stand_alone = before[-1:] in " ,\n" if one.kind == "(" else "," in ends and ends <= {",", "\n", ""}
    return one.are_doubled and one.has_words and stand_alone and not _FORMULA.search(prompt, one.start, one.end)


def _edited(prompt: str, edits: Sequence[_Edit]) -> str:
    """The prompt after the edits, in the order of their starts; those within what is left out have no effect."""
    parts: list[str] = []
    position = 0
    for start, end, text in [*edits, (len(prompt), len(prompt), "")]:
        if start < position:
            continue
        part = prompt[position:start]
        joins = parts and _WORD.match(parts[-1][-1]) and _WORD.match(part)
        parts += filter(None, (" " if joins else "", part, text))
        position = end
    return _tidy("".join(parts))


def _outermost(prompt: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    """The parts of the prompt that lie in no other of them; spans: in their order."""
    parts, position = [], 0
    for start, end in spans:
        if start >= position:
            parts.append(prompt[start:end])
            position = end
    return parts


def _tidy(text: str) -> str:
    """Without the spaces and commas around what was removed."""
    lines = (_ORPHANS.sub(",", _SPACES.sub(" ", line)).strip(" ,") for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def check_texts(texts: str | Sequence[str]) -> tuple[str, ...]:
    """The texts; a string alone is one. Raises InputError for none at all, and for one that is empty or no string."""
    if isinstance(texts, str):
        texts = (texts,)
    if not isinstance(texts, Iterable):
        raise InputError(f"texts are a {type(texts).__name__}; give a string or a list of strings")
    checked = tuple(texts)
    if not checked:
        raise InputError("no texts were given; give at least one")
    for number, text in enumerate(checked, 1):
        _check(text, _which(number, len(checked)))
    return checked


def plain_texts(texts: Sequence[str], *, prompt_syntax: bool) -> PlainTexts:
    """The texts without prompt syntax, or unchanged when ``prompt_syntax`` is off.

    Raises InputError for a text of which nothing is left.
    """
    if not prompt_syntax:
        return PlainTexts(tuple(texts))
    read = [_read(text) for text in texts]
    for number, (text, (left, _)) in enumerate(zip(texts, read, strict=True), 1):
        if not left.strip():
            raise InputError(
                f"{_which(number, len(read))} is {text[:60]!r}, which holds nothing but prompt syntax; say what the "
                "picture shows, or switch prompt_syntax off to read it as it stands"
            )
    edited = [syntax for _, syntax in read if syntax]
    notes = (_syntax_note(edited, len(read)),) if edited else ()
    return PlainTexts(tuple(left for left, _ in read), notes)


def _syntax_note(edited: Sequence[Sequence[str]], total: int) -> str:
    """The note on the texts that were changed, with what was edited in each of them."""
    every = list(dict.fromkeys(" ".join(one.split()) for syntax in edited for one in syntax))
    shown = [one if len(one) <= _LETTERS else f"{one[: _LETTERS - 1]}…" for one in every[:_EXAMPLES]]
    more = f" and {len(every) - _EXAMPLES} more" if len(every) > _EXAMPLES else ""
    where = f"{len(edited)} of {total} texts" if total > 1 else "the text"
    return (
        f"prompt syntax was left out of {where}: {', '.join(shown)}{more}; switch prompt_syntax off to read texts as "
        "they stand"
    )


def _check(text: object, which: str) -> None:
    if not isinstance(text, str):
        raise InputError(f"{which} is a {type(text).__name__}; give a string")
    if not text.strip():
        raise InputError(f"{which} is empty; say what the picture shows")


def _which(number: int, count: int) -> str:
    return f"text {number} of {count}" if count > 1 else "the text"


@dataclass(frozen=True)
class Phrase:
    """A part of a text that can be scored alone."""

    text: str
    #: The text without it; empty if there is nothing else.
    rest: str


@dataclass(frozen=True)
class _Piece:
    """Words with what stands before them in the text: a preposition, or the end of the clause before."""

    before: str
    words: str
    #: The number of its clause.
    clause: int


def phrases_of(text: str) -> tuple[Phrase, ...]:
    """The phrases in their order: "a red circle" and "a blue ground" of "a red circle on a blue ground".

    A text is split at punctuation and line ends; a clause of more than four words is also split before prepositions,
    before conjunctions that an article follows, and before verbs such as wearing. A text that cannot be split is one
    phrase.
    """
    pieces = _limited(list(_pieces(text)), MOST_PHRASES)
    if len(pieces) < 2:
        return (Phrase(text.strip(), ""),)
    return tuple(
        Phrase(_without_link(piece.words), _joined([*pieces[:place], *pieces[place + 1 :]]))
        for place, piece in enumerate(pieces)
    )


def _pieces(text: str) -> Iterator[_Piece]:
    start, before = 0, ""
    ends = [(match.start(), match.end()) for match in _BETWEEN.finditer(text)]
    for number, (end, after) in enumerate([*ends, (len(text), len(text))]):
        clause = " ".join(text[start:end].split())
        if _WORD.search(clause):
            yield from _split_clause(clause, before, number)
            before = ""
        before = before or text[end:after]
        start = after


def _split_clause(clause: str, before: str, number: int) -> Iterator[_Piece]:
    if len(clause.split()) <= MOST_WORDS:
        yield _Piece(before, clause, number)
        return
    start = 0
    for match in _INSIDE.finditer(clause):
        if match.start() > start:
            yield _Piece(before, clause[start : match.start()], number)
            before, start = match[0], match.end()
    yield _Piece(before, clause[start:], number)


def _limited(pieces: list[_Piece], most: int) -> list[_Piece]:
    """At most so many; those that are too many become the last one."""
    if len(pieces) <= most:
        return pieces
    end = pieces[most - 1 :]
    return [*pieces[: most - 1], replace(end[0], words=_joined(end))]


def _joined(pieces: Sequence[_Piece]) -> str:
    """The pieces as a text; where the first of a clause is gone, the next one stands for it without its preposition."""
    text = _without_link(pieces[0].words)
    for last, piece in pairwise(pieces):
        is_orphan = piece.clause != last.clause and not _BETWEEN.match(piece.before)
        text += (", " if is_orphan else piece.before) + piece.words
    return text


def _without_link(words: str) -> str:
    return _LEADING.sub("", words)
