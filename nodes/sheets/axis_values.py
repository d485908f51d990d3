"""Lists of values linked to ``x_axis``, ``y_axis`` and ``page_axis``, given to the pictures of a sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...grid.pictures.survey import Picture, Survey
from ...grid.template import GridTemplate
from ...plurals import counted

#: The column that holds the values of each axis.
AXES = {"x_axis": "x", "y_axis": "y", "page_axis": "page"}


def with_axis_values(
    survey: Survey, template: GridTemplate, axes: Mapping[str, Sequence[str]]
) -> tuple[Survey, GridTemplate]:
    """The pictures with a value of each list, notes on lists that do not fit, and a template with these axes.

    axes: values by the option. A list as long as there are pictures has a value for each. A shorter one has the values
    of the axis: those of x follow each other from picture to picture, those of y and page change after equal parts.
    """
    if not axes:
        return survey, template
    # nobody counts our earlier sheets as pictures
    counted = [entry for entry in survey.entries if isinstance(entry, Picture) or not entry.deliberate]
    count = len(counted)
    columns: dict[str, list[str]] = {}
    notes: list[str] = []
    for name, values in axes.items():
        columns[AXES[name]] = _spread(name, values, count)
        if count % len(values):
            notes.append(_misfit(name, len(values), count))
    places = {id(entry): place for place, entry in enumerate(counted)}
    entries = tuple(
        replace(entry, values={**entry.values, **_at(columns, places[id(entry)])})
        if isinstance(entry, Picture)
        else entry
        for entry in survey.entries
    )
    survey = replace(survey, entries=entries, notes=(*survey.notes, *notes))
    return survey, template.with_options({name: AXES[name] for name in axes})


def _spread(name: str, values: Sequence[str], count: int) -> list[str]:
    """A value for each picture, as far as a list that does not fit goes."""
    if count % len(values):
        return list(values[:count])
    if name == "x_axis":
        return [values[place % len(values)] for place in range(count)]
    return [values[place // (count // len(values))] for place in range(count)]


def _at(columns: Mapping[str, Sequence[str]], place: int) -> dict[str, str]:
    return {name: values[place] for name, values in columns.items() if place < len(values)}


def _misfit(name: str, given: int, count: int) -> str:
    rest = "the other pictures have none" if given < count else "the surplus values are not used"
    values, pictures = counted(given, "value", "is/are"), counted(count, "picture")
    return f"{values} linked to {name} for {pictures}; {rest}: link one for each picture"
