"""Vocabularies as JSON, the form of the files in ``data``.

A facet is ``{"facet": "subject", "templates": ["a picture of {}"], "labels": LABELS}``. LABELS is a list of labels, in
which ``{"animal": LABELS}`` holds the kinds of animal; such an object may also stand alone, and in it ``""`` is no
group. A parent is a label too where it is listed, for which its own group will do: ``{"animal": ["animal", "dog",
{"bird": ["bird", "owl"]}]}``. A file holds one facet, a list of facets, ``{"subject": LABELS, "mood": LABELS}``, or a
mere list of LABELS.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from ...errors import InputError
from .entries import LABEL, Entry, build_vocabulary, same_text
from .vocabulary import Vocabulary

_KEYS = ("facet", "templates", "labels")
_DEEPEST = 20


def read_json_words(text: str, name: str) -> Vocabulary:
    """The vocabulary in JSON; raises InputError where it is not JSON, or not of the form above."""
    entries: list[Entry] = []
    templates: dict[str, tuple[str, ...]] = {}
    for facet, body in _facets(_parse(text)):
        labels, sentences = _parts(body)
        entries += [Entry(label=label, facet=facet, above=above) for label, above in _labels(labels, ())]
        if sentences:
            templates[same_text(facet)] = sentences
    return build_vocabulary(name, entries, templates=templates)


def _parse(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"is not valid JSON ({error.msg.lower()} at {where}); correct it there") from None
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"is not valid JSON ({str(error)[:80]}); correct it") from None
    except RecursionError:
        raise InputError("is JSON nested too deeply to be a vocabulary; write fewer levels") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    built = dict(pairs)
    if len(built) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise InputError(f"one object holds {twice!r} twice; put both under one")
    return built


def _facets(value: object) -> Iterator[tuple[str, object]]:
    """The name and the body of each facet, a body being LABELS or an object with them."""
    if isinstance(value, list) and any(_is_facet(one) for one in value):
        for one in value:
            if not _is_facet(one):
                raise InputError(f"{_shown(one)} stands among facets; put it into the labels of one")
            yield from _facets(one)
    elif isinstance(value, dict) and not _is_facet(value):
        yield from ((str(name), body) for name, body in value.items())
    else:
        yield _name(value), value


def _is_facet(value: object) -> bool:
    return isinstance(value, dict) and "labels" in value


def _name(value: object) -> str:
    name = value.get("facet", LABEL) if isinstance(value, dict) else LABEL
    return _text(name, "the name of a facet")


def _parts(body: object) -> tuple[object, tuple[str, ...]]:
    """LABELS, and the templates if there are any."""
    if not isinstance(body, dict) or not _is_facet(body):
        return body, ()
    strange = next((key for key in body if key not in _KEYS), None)
    if strange is not None:
        raise InputError(f"a facet has the key {strange!r}; it can have {', '.join(_KEYS)}")
    sentences = body.get("templates", [])
    if not isinstance(sentences, list):
        raise InputError(f"the templates are {_shown(sentences)}; give a list of texts")
    return body["labels"], tuple(_text(one, "a template") for one in sentences)


def _labels(value: object, above: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each label with what stands above it, the widest first."""
    if len(above) > _DEEPEST:
        raise InputError(f"the labels are nested more than {_DEEPEST} deep; write fewer levels")
    if isinstance(value, dict):
        for group, members in value.items():
            yield from _labels(members, (*above, group) if group.strip() else above)
    elif isinstance(value, list):
        for one in value:
            yield from _labels(one, above) if isinstance(one, dict) else [(_text(one, "a label"), above)]
    else:
        raise InputError(f"{_shown(value)} stands where labels should be; give a list of texts")


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{what} is {_shown(value)}; it must be a text that is not empty")
    return value


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)[:40]
