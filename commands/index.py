"""``clip-grid index``: an index of pictures, made and brought up to date, looked into, exported and taken in."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from typing import get_args

from ..api.index import (
    Engine,
    IndexOptions,
    copy_index,
    default_index_folder,
    export_index,
    failures_of_index,
    import_index,
    index_folder,
    index_images,
    open_store,
    purge_index,
    status_of_index,
)
from ..clip_backend.search.status import Failure, IndexStatus
from ..clip_backend.search.stores.mirror import MirrorUpdate
from ..plurals import counted
from .flags import add_model_flags, add_options, model_choice, read_checked_flags
from .output import (
    DONE,
    FAILED,
    PARTIAL,
    Bar,
    add_output_flags,
    aligned_lines,
    fail,
    first_lines,
    note,
    print_json,
    show,
)

USAGE = "[options] [DIR...]"
HELP = """\
index the pictures of folders, so that clip-grid search finds them

  clip-grid index ~/ComfyUI/output ~/Pictures
  clip-grid index
  clip-grid index --status
  clip-grid index --failed
  clip-grid index --store http://127.0.0.1:6333

Without folders, those that are in the index are brought up to date; a new
index takes ComfyUI's output and input folder. Files that did not change are
not opened, renamed ones not read. Files that are gone are marked; only --purge
forgets them. Exit status 3: done, but a file could not be
used; --failed says why.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    parser.add_argument("paths", nargs="*", metavar="DIR", help="folders, indexed with all folders below them")
    add_options(parser, IndexOptions, only=["retry_failed"])
    add_output_flags(parser)
    instead = parser.add_argument_group("instead of indexing").add_mutually_exclusive_group()
    instead.add_argument("--status", action="store_true", help="say what the index holds")
    instead.add_argument("--failed", action="store_true", help="list the files that could not be used, and why")
    instead.add_argument(
        "--purge", nargs="?", type=float, const=0.0, metavar="DAYS",
        help="forget files that are gone, or have been for so many days",
    )  # fmt: skip
    instead.add_argument("--export", metavar="FILE", help="write all vectors and generation data, without paths")
    instead.add_argument(
        "--import", metavar="FILE", dest="import_file", help="take what --export wrote; it is not computed again"
    )
    index = parser.add_argument_group("the index")
    add_index_flag(index)
    add_store_flag(index, "also copy the index to this Qdrant server, or bring the copy up to date")
    how = parser.add_argument_group("how it computes")
    add_options(how, IndexOptions, without=["retry_failed"])
    how.add_argument(
        "--engine", choices=get_args(Engine), default="local", help="read and compute here, or on a Ray cluster"
    )
    how.add_argument("--workers", type=int, metavar="N", help="with --engine ray: how many processes compute")
    add_model_flags(parser)
    parser.set_defaults(run=run)


def add_index_flag(parser: argparse._ActionsContainer) -> None:
    """``--index``."""
    parser.add_argument(
        "--index", metavar="DIR",
        help=f"folder of the index (default: what CLIP_GRID_INDEX names, else {default_index_folder()})",
    )  # fmt: skip


def add_store_flag(parser: argparse._ActionsContainer, what: str) -> None:
    """``--store``."""
    parser.add_argument(
        "--store", metavar="URL",
        help=f"{what}; as in http://127.0.0.1:6333, or with /COLLECTION; the key is read from CLIP_GRID_STORE_KEY",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """The exit status."""
    others = {
        "--status": args.status, "--failed": args.failed, "--purge": args.purge is not None,
        "--export": bool(args.export), "--import": bool(args.import_file),
    }  # fmt: skip
    chosen = [flag for flag, is_chosen in others.items() if is_chosen]
    if chosen and args.paths:
        return fail(f"{chosen[0]} takes no folders; leave out {' '.join(args.paths)}")
    if chosen and args.store:
        return fail(f"{chosen[0]} leaves the copy as it is; run clip-grid index --store {args.store} after it")
    if args.workers is not None and args.engine != "ray":
        return fail("--workers is for --engine ray; without it, this process computes")
    if args.purge is not None and not args.purge >= 0:
        return fail(f"--purge takes a number of days of at least 0, not {args.purge:g}")
    if args.status:
        return _status(args)
    if args.failed:
        return _failed(args)
    if args.purge is not None:
        purged = purge_index(args.index, older_than_days=args.purge)
        return _answer(args, {"purged": purged}, f"forgot {counted(purged, 'file')}")
    if args.export:
        exported = export_index(args.export, args.index)
        return _answer(args, {"exported": exported}, f"wrote {counted(exported, 'picture')}")
    if args.import_file:
        imported = import_index(args.import_file, args.index)
        return _answer(args, {"imported": imported}, f"took {counted(imported, 'new picture')}")
    return _index(args)


def _index(args: argparse.Namespace) -> int:
    model = model_choice(args)
    if args.model and not args.download:
        # a wrong name is told also where no picture is to be read, and so no model would be opened
        model.files()
    with closing(open_store(args.store)) if args.store else nullcontext() as store:
        with Bar(args.quiet) as bar:
            done = index_images(
                args.paths, index=args.index, model=model, engine=args.engine,
                workers=args.workers, progress=bar, **read_checked_flags(args, IndexOptions),
            )  # fmt: skip
        if not args.json:
            show([f"{done.summary()}{', and forgotten with --purge' if done.gone else ''}"])
        copied = None
        if store:
            with Bar(args.quiet) as bar:
                copied = copy_index(store, args.index, progress=bar)
    if args.json:
        print_json({**done.to_dict(), **({"copied": copied.to_dict()} if copied else {})})
    elif copied:
        show([copy_line(copied)])
    note(args, [f"{path} cannot be listed now; its pictures stay in the index" for path in done.away])
    note(args, first_lines(_failure_lines(done.failed)))
    if done.failed and not (done.found - len(done.failed)) and not done.unchanged:
        return fail("none of the pictures could be used", FAILED)
    return PARTIAL if done.failed else DONE


def copy_line(copied: MirrorUpdate) -> str:
    """What was sent to a store, in a sentence."""
    parts = [f"{count} {what}" for what, count in copied.to_dict().items() if count]
    return f"copy: {', '.join(parts) or 'nothing to do'}"


def _status(args: argparse.Namespace) -> int:
    found = status_of_index(args.index)
    if args.json:
        print_json(found.to_dict())
    else:
        show(_status_lines(found))
    return DONE


def _status_lines(found: IndexStatus) -> Iterator[str]:
    rows = [
        ["index", found.folder],
        ["model", f"{found.model or 'none yet'}{f', {found.dim} dimensions a picture' if found.dim else ''}"],
        ["pictures", f"{found.pictures} in {counted(found.files, 'file')}"],
        ["gone", counted(found.missing, "file")],
        ["failed", counted(found.failed, "file")],
        ["size", f"{found.size_bytes / 1e6:.1f} MB"],
        *(
            ["folder", f"{root.path}, {counted(root.files, 'file')}{', cannot be listed now' if root.is_away else ''}"]
            for root in found.roots
        ),
    ]
    yield from aligned_lines(rows)


def _failed(args: argparse.Namespace) -> int:
    failures = failures_of_index(args.index)
    if args.json:
        print_json({"failed": [failure.to_dict() for failure in failures]})
    else:
        show(_failure_lines(failures) or [f"no file of the index in {index_folder(args.index)} failed"])
    return DONE


def _failure_lines(failures: Sequence[Failure]) -> list[str]:
    return [f"{failure.path}: {failure.reason}" for failure in failures]


def _answer(args: argparse.Namespace, answer: dict[str, int], sentence: str) -> int:
    if args.json:
        print_json(answer)
    else:
        show([sentence])
    return DONE
