"""``clip-grid search``: the pictures of an index that fit a text, a picture or both."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext

from ..api import SheetInputs, export_grid
from ..api.index import open_store
from ..api.search import IN_ORDER, SearchOptions, search, weighted, why_nothing
from ..clip_backend.finding.catalog import short_model_name
from ..clip_backend.search.query import Hit, Hits
from ..grid.arrange.numbers import format_number
from ..grid.pictures.lists import as_line
from ..plurals import counted
from .flags import add_model_flags, add_options, model_choice, read_checked_flags
from .index import add_index_flag, add_store_flag
from .output import DONE, FAILED, add_output_flags, aligned_lines, fail, note, print_json, print_lines, show

USAGE = "[options] [TEXT...]"
HELP = """\
find pictures of an index by text, by picture, or by both

  clip-grid search "red fox" --top 12
  clip-grid search "red fox" --not blurry --where 'seed=42 and cfg>5'
  clip-grid search --like picture.png "at night::0.5" --grid hits.png
  clip-grid search --keywords "masterpiece" --where 'model~xl'

clip-grid index makes the index. A weight stands after "::". Hits below the
line are weak: they fit better than the rest of the index, but not well.
"""
_LINE = "these fit weakly"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    add = parser.add_argument
    add("paths", nargs="*", metavar="TEXT", help="what is to be in the pictures")
    add("--not", nargs="+", metavar="TEXT", default=[], dest="without", help="what is not to be in them")
    add("--like", nargs="+", metavar="FILE", default=[], help="pictures that they are to resemble")
    add_options(parser, SearchOptions, only=["where", "top"])
    add(
        "--list", action="store_true",
        help="print only the paths of the hits, the best first, as in: clip-grid search fox --list > hits.txt, then "
        "clip-grid export hits.txt sheet.png",
    )  # fmt: skip
    add("--grid", metavar="FILE", help="write a sheet of the hits, the best first")
    add("--overwrite", action="store_true", help="replace FILE even if it is not of this program")
    add_output_flags(parser)
    query = parser.add_argument_group("what is looked for")
    query.add_argument("--unlike", nargs="+", metavar="FILE", default=[], help="pictures that they are not to resemble")
    add_options(query, SearchOptions, only=["keywords"])
    add_options(parser.add_argument_group("which hits are shown"), SearchOptions, without=["where", "top", "keywords"])
    index = parser.add_argument_group("the index")
    add_index_flag(index)
    add_store_flag(index, "ask the copy of the index that this Qdrant server has, by clip-grid index --store")
    index.add_argument(
        "--exact", action="store_true", help="with --store: have the server compare all pictures, which takes longer"
    )
    add_model_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """The exit status."""
    options = read_checked_flags(args, SearchOptions)
    if args.exact and not args.store:
        return fail("--exact is for --store; the index itself always compares all pictures")
    with closing(open_store(args.store)) if args.store else nullcontext() as store:
        found = search(
            [weighted(text) for text in args.paths],
            without=[weighted(text) for text in args.without],
            like=[weighted(file) for file in args.like],
            unlike=[weighted(file) for file in args.unlike],
            index=args.index,
            model=model_choice(args),
            store=store,
            exact=args.exact,
            **options,
        )
    hits = found.hits
    if args.grid and hits:
        _write_sheet(args, hits)
    if args.json:
        print_json(found.to_dict())
    elif args.list:
        print_lines(as_line(hit.picture.path, sys.stdout.encoding or "ascii") for hit in hits)
    else:
        show(table(found))
    if not hits:
        wanted = SearchOptions(**options)
        return fail(why_nothing(found, wanted.where, wanted.strong, "--"), FAILED)
    return DONE


def table(found: Hits) -> Iterator[str]:
    """A line per hit, the best first; weak ones stand below a line."""
    hits = found.hits
    model = short_model_name(found.model)
    yield f"{len(hits)} of {counted(found.passed, 'picture')}; index of {found.total}, model: {model}"
    strong = [hit for hit in hits if not hit.is_weak]
    weak = [hit for hit in hits if hit.is_weak]
    lines = list(aligned_lines([_HEAD, *map(_row, [*strong, *weak])], right=[0, 1]))
    yield from lines[: len(strong) + 1]
    if weak:
        yield f"--- {_LINE} ---"
        yield from lines[len(strong) + 1 :]


_HEAD = ("z", "better than", "found by", "picture", "")


def _row(hit: Hit) -> tuple[str, ...]:
    percentile = "" if hit.percentile is None else f"{hit.percentile:.1f} %"
    copies = len(hit.picture.paths) - 1
    more = f"and {copies} more {'copy' if copies == 1 else 'copies'}" if copies else ""
    return "" if hit.z is None else format_number(hit.z, 1), percentile, hit.found_by, hit.picture.path, more


def _label(hit: Hit) -> str:
    name = os.path.basename(hit.picture.path)
    return name if hit.z is None else f"{name}\nz {format_number(hit.z, 1)}{', weak' if hit.is_weak else ''}"


def _write_sheet(args: argparse.Namespace, hits: Sequence[Hit]) -> None:
    there = [hit for hit in hits if not hit.picture.is_missing]
    title = ", ".join(
        [
            *args.paths,
            *(f"not {text}" for text in args.without),
            *(f"like {os.path.basename(file)}" for file in args.like),
        ]
    )
    report = export_grid(
        [hit.picture.path for hit in there], args.grid, inputs=SheetInputs(labels=[_label(hit) for hit in there]),
        overwrite=args.overwrite, title=title, template=IN_ORDER,
    )  # fmt: skip
    note(args, [f"wrote {page.path}" for page in report.pages])
