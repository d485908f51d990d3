"""``clip-grid export``: one sheet from pictures, or one for each of several folders."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from ..api import GridReport, choose_template, dry_report, export_batch, export_grid, plan_export
from ..errors import ClipGridError, InputError
from ..grid.template import write_template
from .flags import model_choice
from .output import DONE, FAILED, PARTIAL, Bar, fail, note, print_error, print_json, print_report, show
from .sheet_flags import add_sheet_flags, clip_options, sheet_inputs, template_options, unused_clip_flags

USAGE = "[options] IMAGES... OUT"
HELP = """\
make a labelled sheet from pictures

  clip-grid export renders/ sheet.png
  clip-grid export 'renders/**/*.png' sheet.html --label-format '{seed} · cfg {cfg}'
  clip-grid export renders/ sheet.png --csv labels.csv --labels seed sampler
  clip-grid export renders/ sheet.png --use-clip
  clip-grid export --batch run1/ run2/ sheets/
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    add_sheet_flags(parser)
    parser.set_defaults(run=export)


def export(args: argparse.Namespace) -> int:
    """A sheet, sheets of a batch, or a template alone."""
    options = template_options(args)
    template = getattr(args, "template", None)
    if args.save_template:
        _save_template(args, template, options)
        if not args.paths and not args.batch:
            return DONE
    options |= clip_options(args) | {"model": model_choice(args)}
    note(args, unused_clip_flags(args))
    if not args.batch and len(args.paths) < 2:
        return fail("give the pictures and then the sheet, as in: clip-grid export renders/ sheet.png")
    began = time.monotonic()
    status = (_export_batch if args.batch else _export_one)(args, template, options)
    note(args, [f"took {time.monotonic() - began:.1f} s"] if args.verbose else [])
    return status


def _export_one(args: argparse.Namespace, template: str | None, options: dict[str, Any]) -> int:
    *images, out = args.paths
    inputs = sheet_inputs(args)
    if args.dry_run:
        planned, target = plan_export(images, out, template=template, inputs=inputs, **options)
        return _print_report(args, dry_report(planned, target), planned=True)
    with Bar(args.quiet) as bar:
        report = export_grid(
            _single(images), out, template=template, inputs=inputs, overwrite=args.overwrite, progress=bar, **options
        )
    return _print_report(args, report)


def _single(images: list[str]) -> str | list[str]:
    return images[0] if len(images) == 1 else images


def _export_batch(args: argparse.Namespace, template: str | None, options: dict[str, Any]) -> int:
    directories = [*args.batch, *args.paths]
    if len(directories) < 2:
        return fail("--batch wants at least one directory and then the output directory")
    if args.dry_run:
        raise InputError("--dry-run plans one sheet; leave out --batch")
    with Bar(args.quiet) as bar:
        report = export_batch(
            directories[:-1], directories[-1], template=template, inputs=sheet_inputs(args), overwrite=args.overwrite,
            progress=bar, each=None if args.json else _print_one, **options,
        )  # fmt: skip
    if args.json:
        print_json(report.to_dict())
    note(args, [line for grid in report.grids for line in _notes(args, grid)])
    return {"ok": DONE, "partial": PARTIAL, "error": FAILED}[report.status]


def _print_one(directory: str, outcome: GridReport | ClipGridError) -> None:
    if isinstance(outcome, GridReport):
        first, *rest = outcome.summary_lines()
        show([f"{directory}: {first}", *rest])
        # one sheet may take long
        sys.stdout.flush()
    else:
        print_error(f"{directory}: error: {outcome}")


def _print_report(args: argparse.Namespace, report: GridReport, *, planned: bool = False) -> int:
    if args.json:
        print_report(report)
    else:
        first, *rest = report.summary_lines()
        show([("plan: " if planned else "") + first, *rest])
    note(args, _notes(args, report))
    return DONE if report.status == "ok" else PARTIAL


def _notes(args: argparse.Namespace, report: GridReport) -> list[str]:
    """Warnings and skips; past ten skips only their number, unless verbose, which also says whence the labels come."""
    skips = [f"skipped {skip.name}: {skip.reason}" for skip in report.skipped]
    if len(skips) > 10 and not args.verbose:
        skips = [*skips[:10], f"and {len(skips) - 10} more were skipped; --verbose lists them, --json too"]
    sources = ", ".join(f"{count} from {source}" for source, count in report.label_sources.items())
    told = [f"labels: {sources or 'none'}"] if args.verbose else []
    return [*told, *report.warnings, *skips]


def _save_template(args: argparse.Namespace, template: str | None, options: dict[str, Any]) -> None:
    target = Path(os.path.expanduser(args.save_template))
    write_template(choose_template(template, options).with_name(target.stem), target, overwrite=args.overwrite)
