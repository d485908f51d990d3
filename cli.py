"""The command line: arguments become one call of the API; results go to stdout, talk and errors to stderr.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 done but a picture or a directory of a batch is missing.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from .api import (
    GridReport,
    SheetInputs,
    choose_template,
    dry_report,
    export_batch,
    export_grid,
    find_model_folders,
    find_models,
    plan_export,
)
from .atomic import atomic_file
from .clip_backend.finding.model_table import table_lines
from .demo import draw_demo_pictures
from .errors import ClipGridError, InputError, OutputError
from .grid.export import FORMAT_OF
from .grid.labels import split_columns
from .grid.pictures import Picture
from .grid.report import BatchReport
from .grid.template import GridTemplate, built_in_templates
from .options import add_flags, options_of

DONE, FAILED, USAGE, PARTIAL = 0, 1, 2, 3
#: Columns of a table that no terminal shows.
_UNBROKEN = 10_000
#: What other programs call these formats.
_FORMAT_NAMES = {suffix.lstrip("."): name for suffix, name in FORMAT_OF.items()}

_EXPORT_HELP = """\
make a labelled sheet from pictures

  clip-grid export renders/ sheet.png
  clip-grid export 'renders/**/*.png' sheet.html --label-format '{seed} · cfg {cfg}'
  clip-grid export renders/ sheet.png --csv labels.csv --labels seed sampler
  clip-grid export --batch run1/ run2/ sheets/
"""


def main(argv: Sequence[str] | None = None) -> int:
    """``clip-grid COMMAND``; answers the exit status."""
    parser = _parser()
    args = _parse(parser, argv)
    if not hasattr(args, "run"):
        parser.print_help(sys.stderr)
        return USAGE
    return _run(args)


def labeled_grid_exporter(argv: Sequence[str] | None = None) -> int:
    """``labeled-grid-exporter IMAGES OUT``: the flags of the script of that name, on this engine."""
    parser = argparse.ArgumentParser(
        "labeled-grid-exporter", description="Make a labelled sheet from a folder of pictures."
    )
    parser.add_argument("--version", action="version", version=_version())
    parser.add_argument("--demo", action="store_true", help="draw pictures and export them")
    parser.add_argument("--input-dir", help=argparse.SUPPRESS)
    parser.add_argument("--output", help=argparse.SUPPRESS)
    clip = parser.add_argument_group("labels from CLIP")
    clip.add_argument("--use-clip", action="store_true", help="label pictures that no table names by CLIP")
    clip.add_argument("--clip-model", metavar="NAME", default="openai/clip-vit-base-patch32")
    _add_export_arguments(parser)
    args = _parse(parser, argv)
    args.paths = [*filter(None, [args.input_dir]), *args.paths, *filter(None, [args.output])]
    args.run = _demo if args.demo else _export
    args.directory = "clip-grid-demo"
    sized = args.cell_size or any(hasattr(args, name) for name in ("template", "cell_width", "cell_height"))
    if not (sized or args.demo):
        args.cell_size = (256, 256)
    return _run(args)


def _parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; paths may also stand after flags, and after the numbers of a background colour."""
    args, rest = parser.parse_known_args(argv)
    if rest and (any(text.startswith("-") for text in rest) or not hasattr(args, "paths")):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if hasattr(args, "background"):
        words = args.background
        count = len(words) if _are_numbers(words) else 3 if _are_numbers(words[:3]) else 1
        args.background, rest = words[:count], [*words[count:], *rest]
    if rest:
        args.paths = [*args.paths, *rest]
    return args


def _are_numbers(words: Sequence[str]) -> bool:
    return len(words) >= 3 and all(word.rstrip(",").isdecimal() for word in words)


def _run(args: argparse.Namespace) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a file name may hold what the terminal's encoding cannot
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status: int = args.run(args)
    except ClipGridError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("stopped; no file was left half written", file=sys.stderr)
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("clip-grid", description="Labelled image grids.")
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    formatter = argparse.RawDescriptionHelpFormatter
    export = commands.add_parser(
        "export", help="make a labelled sheet", description=_EXPORT_HELP, formatter_class=formatter
    )
    _add_export_arguments(export)
    export.set_defaults(run=_export)
    demo = commands.add_parser("demo", help="draw pictures of its own and make sheets of them")
    demo.add_argument("directory", nargs="?", default="clip-grid-demo", help="where to put them (default: %(default)s)")
    _add_talk(demo)
    demo.set_defaults(run=_demo)
    templates = commands.add_parser("templates", help="list the built-in templates")
    _add_talk(templates)
    templates.set_defaults(run=_templates)
    _add_models(commands.add_parser("models", help="list the CLIP models on this machine, and what each of them is"))
    return parser


def _add_models(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("paths", nargs="*", metavar="FOLDER", help="folders or files (default: ComfyUI and the Hugging Face cache)")
    add("--comfyui", metavar="ROOT", help="the folder of a ComfyUI, with what its extra_model_paths.yaml adds")
    add("--all", action="store_true", help="also list files that are no CLIP models, and why")
    add("--json", action="store_true", help="print everything that is known about each as JSON")
    add("--quiet", action="store_true", help="no notes")
    parser.set_defaults(run=_models)


def _add_talk(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no warnings")
    parser.add_argument("--verbose", action="store_true", help="also list every skipped picture")


def _add_export_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("paths", nargs="*", metavar="IMAGES... OUT", help="folders, files, globs or .txt lists of them, then the sheet")
    add("--batch", nargs="+", metavar="DIR", help="one sheet per directory; the last one is where the sheets go")
    add("--csv", metavar="FILE", help="CSV or JSON table with a row per picture, found by its file name")
    add("--labels", nargs="+", metavar="COLUMN", help="columns to show, as --label-columns")
    add("--text", nargs="+", metavar="LABEL", help="labels, one per picture or one for all")
    add(
        "--template",
        metavar="NAME|FILE",
        default=argparse.SUPPRESS,
        help="a template to start from; see: clip-grid templates",
    )
    add("--save-template", metavar="FILE", help="write the template that results from all options")
    add("--cols", metavar="N", default=argparse.SUPPRESS, dest="columns", help="as --columns")
    add("--cell-size", nargs=2, type=int, metavar=("W", "H"), help="as --cell-width and --cell-height")
    add("--resize", nargs=2, type=int, metavar=("W", "H"), help="resize each picture before it is placed")
    add("--resize-mode", choices=("fit", "fill", "stretch"), default="fit", help="how (default: %(default)s)")
    add("--overwrite", action="store_true", help="replace OUT even if it is not a sheet of this program")
    add("--dry-run", action="store_true", help="plan everything, write nothing, print the plan")
    _add_talk(parser)
    options = dict(options_of(GridTemplate))
    add(
        "--format", metavar="FORMAT", default=argparse.SUPPRESS,
        help=f"{options.pop('format').help}: {', '.join(_FORMAT_NAMES)} (default: from the ending of OUT, else png)",
    )  # fmt: skip
    background = options.pop("background")
    add("--background", nargs="+", metavar="COLOR", default=argparse.SUPPRESS, help=background.help)
    add_flags(parser.add_argument_group("the sheet"), list(options.values()))


def _given_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of the template that stand on the command line, under their own names."""
    given = {name: getattr(args, name) for name in options_of(GridTemplate) if hasattr(args, name)}
    if "background" in given:
        given["background"] = " ".join(args.background)
    if "format" in given:
        given["format"] = _FORMAT_NAMES.get(args.format.lower(), args.format)
    if args.cell_size:
        given["cell_width"], given["cell_height"] = args.cell_size
    if args.labels:
        given["label_columns"] = ", ".join(name for part in args.labels for name in split_columns(part))
    return given


def _inputs(args: argparse.Namespace) -> SheetInputs:
    if args.resize and min(args.resize) < 1:
        raise InputError(f"--resize is {args.resize[0]} {args.resize[1]}; both must be 1 or more")
    resize = ((args.resize[0], args.resize[1]), args.resize_mode) if args.resize else None
    labeller = _no_labeller if getattr(args, "use_clip", False) else None
    return SheetInputs(csv=args.csv, labels=args.text or (), resize=resize, labeller=labeller)


def _no_labeller(pictures: Sequence[Picture]) -> Sequence[str | None]:
    raise ClipGridError("this version has no CLIP labeller yet")


def _export(args: argparse.Namespace) -> int:
    options = _given_options(args)
    template = getattr(args, "template", None)
    if args.save_template:
        _save_template(args.save_template, template, options)
        if not args.paths and not args.batch:
            return DONE
    if args.batch:
        return _export_batch(args, template, options)
    if len(args.paths) < 2:
        print(
            "error: give the pictures and then the sheet, as in: clip-grid export renders/ sheet.png", file=sys.stderr
        )
        return USAGE
    *images, out = args.paths
    inputs = _inputs(args)
    if args.dry_run:
        planned, target = plan_export(images, out, template=template, inputs=inputs, **options)
        return _answer(args, dry_report(planned, target), planned=True)
    with _Bar(args.quiet) as bar:
        report = export_grid(
            _single(images), out, template=template, inputs=inputs, overwrite=args.overwrite, progress=bar, **options
        )
    return _answer(args, report)


def _single(images: list[str]) -> str | list[str]:
    return images[0] if len(images) == 1 else images


def _export_batch(args: argparse.Namespace, template: str | None, options: dict[str, Any]) -> int:
    directories = [*args.batch, *args.paths]
    if len(directories) < 2:
        print("error: --batch wants at least one directory and then the output directory", file=sys.stderr)
        return USAGE
    if args.dry_run:
        raise InputError("--dry-run plans one sheet; leave out --batch")
    with _Bar(args.quiet) as bar:
        report = export_batch(
            directories[:-1], directories[-1], template=template, inputs=_inputs(args), overwrite=args.overwrite,
            progress=bar, each=None if args.json else _print_one, **options,
        )  # fmt: skip
    if args.json:
        print(_plain_json(report))
    _warn(args, [warning for grid in report.grids for warning in _talk(args, grid)])
    return {"ok": DONE, "partial": PARTIAL, "error": FAILED}[report.status]


def _print_one(directory: str, outcome: GridReport | ClipGridError) -> None:
    if isinstance(outcome, GridReport):
        print(f"{directory}: {outcome.summary()}")
    else:
        print(f"{directory}: error: {outcome}", file=sys.stderr)


def _answer(args: argparse.Namespace, report: GridReport, *, planned: bool = False) -> int:
    print(_plain_json(report) if args.json else ("plan: " if planned else "") + report.summary())
    _warn(args, _talk(args, report))
    return DONE if report.status == "ok" else PARTIAL


def _plain_json(report: GridReport | BatchReport) -> str:
    """The report as JSON of ASCII, which arrives whole whatever the encoding of the terminal or pipe is."""
    return json.dumps(report.to_dict(), indent=1)


def _talk(args: argparse.Namespace, report: GridReport) -> list[str]:
    """Warnings and skips; past ten skips only their number, unless verbose."""
    skips = [f"skipped {skip.name}: {skip.reason}" for skip in report.skipped]
    if len(skips) > 10 and not args.verbose:
        skips = [*skips[:10], f"and {len(skips) - 10} more were skipped; --verbose lists them, --json too"]
    return [*report.warnings, *skips]


def _warn(args: argparse.Namespace, lines: Sequence[str]) -> None:
    if not args.quiet:
        for line in lines:
            print(f"note: {line}", file=sys.stderr)


def _save_template(path: str, template: str | None, options: dict[str, Any]) -> None:
    target = Path(os.path.expanduser(path))
    chosen = choose_template(template, options)
    with atomic_file(target) as file:
        file.write(chosen.with_name(target.stem).to_json().encode("utf-8"))


def _templates(args: argparse.Namespace) -> int:
    known = built_in_templates()
    if args.json:
        print("[" + ",\n".join(template.to_json().rstrip() for template in known.values()) + "]")
        return DONE
    for name, template in known.items():
        rows, columns = template.rows or "auto", template.columns or "auto"
        size = f"{template.cell_width or 'auto'} x {template.cell_height or 'auto'}"
        print(f"{name:14} {rows} x {columns} cells of {size}, margin {template.margin}, {template.format}")
    return DONE


def _models(args: argparse.Namespace) -> int:
    """The table of what was found; in a pipe, lines as long as they come."""
    config = find_model_folders(args.paths, comfyui=args.comfyui)
    everything = find_models(config, everything=True)
    shown = [model for model in everything if args.all or model.is_of_interest]
    if args.json:
        print(json.dumps({"models": [model.to_dict() for model in shown], "notes": config.notes}, indent=1))
    width = shutil.get_terminal_size((_UNBROKEN, 24)).columns
    for line in [] if args.json else table_lines(shown, width):
        print(line)
    hidden = len(everything) - len(shown)
    left_out = f"{hidden} {'files are' if hidden > 1 else 'file is'} no CLIP model; --all lists what was left out"
    _warn(args, [*config.notes, *([left_out] if hidden else [])])
    if shown:
        return DONE
    where = ", ".join(map(str, config.all_paths())) or "the usual places"
    cure = "give the folder where your models are, as in: clip-grid models FOLDER, or: clip-grid models --comfyui ROOT"
    print(f"error: there is no CLIP model in {where}; {cure}", file=sys.stderr)
    return FAILED


def _demo(args: argparse.Namespace) -> int:
    """Draw a table of pictures, one file of it missing, and make the sheets that show the main ways to label."""
    root = Path(args.directory)
    pictures = root / "pictures"
    draw_demo_pictures(pictures)
    with _Bar(args.quiet) as bar:
        reports = [
            export_grid(pictures, root / name, progress=bar, **options) for name, options in _DEMO_SHEETS.items()
        ]
    if args.json:
        print(_plain_json(BatchReport(tuple(reports))))
    else:
        for report in reports:
            print(report.summary())
        print(f"\nNow with your own pictures:\n  clip-grid export YOUR_FOLDER {root / 'mine.png'}")
    return DONE


_DEMO_SHEETS: dict[str, dict[str, Any]] = {
    "table.png": {"title": "Sampler and cfg, found in the files"},
    "labels.jpg": {"columns": 5, "label_format": "{sampler} · cfg {cfg} · seed {seed}", "label_position": "below"},
    "page.html": {"title": "CLIP Grid demo"},
}


class _Bar:
    """A progress bar on a terminal, nothing in a pipe; called as api.Progress."""

    def __init__(self, quiet: bool) -> None:
        self._hidden = quiet or not sys.stderr.isatty()
        self._bar: Any = None

    def __enter__(self) -> Callable[[int, int], None]:
        return self._update

    def _update(self, done: int, total: int) -> None:
        if self._hidden:
            return
        if self._bar is None or self._bar.total != total or done < self._bar.n:
            from tqdm import tqdm  # only a terminal needs it

            self._close()
            self._bar = tqdm(total=total, unit="picture", leave=False)
        self._bar.update(done - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def __exit__(self, *_: object) -> None:
        self._close()


def _version() -> str:
    """The version that was installed, or that of the checkout."""
    try:
        return metadata.version("clip-grid")
    except metadata.PackageNotFoundError:
        text = (Path(__file__).parent / "pyproject.toml").read_text("utf-8")
        match = re.search(r'^version = "(.+)"$', text, re.MULTILINE)
        if match is None:
            raise OutputError("pyproject.toml holds no version") from None
        return match[1]
