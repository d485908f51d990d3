"""``clip-grid templates``: the built-in templates."""

from __future__ import annotations

import argparse

from ..grid.template import GridTemplate, built_in_templates
from .output import DONE, add_output_flags, print_lines, show

USAGE = "[options]"
HELP = "list the built-in templates"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    add_output_flags(parser)
    parser.set_defaults(run=list_templates)


def list_templates(args: argparse.Namespace) -> int:
    """A line per template, or their JSON."""
    known = built_in_templates()
    if args.json:
        print_lines(["[" + ",\n".join(template.to_json().rstrip() for template in known.values()) + "]"])
        return DONE
    show(_line(name, template) for name, template in known.items())
    return DONE


def _line(name: str, template: GridTemplate) -> str:
    rows, columns = template.rows or "auto", template.columns or "auto"
    size = f"{template.cell_width or 'auto'} x {template.cell_height or 'auto'}"
    return f"{name:14} {rows} x {columns} cells of {size}, margin {template.margin}, {template.format}"
