"""Everything that is decided about a sheet before it is painted: order, labels, axes, badges and layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from ..csv_cells import plain_name
from ..errors import InputError
from ..imaging import MAX_PIXELS
from .arrange.axes import Axes
from .arrange.badges import Badges, read_badges, shared_score_name
from .arrange.heat_map import HeatMap, find_heat_map, missing_score
from .arrange.legend import legend_of
from .arrange.lora_columns import LORAS, find_axes_with_loras
from .arrange.pages import make_tables
from .arrange.sorting import sort_pictures
from .arrange.tables import PageTable
from .labels.clip import Labeller, Scorer, ask_labeller, ask_scorer, merge_scores
from .labels.shared import labels_without_shared
from .labels.sources import (
    LABEL_COLUMNS,
    ClipLabel,
    ClipSource,
    Label,
    LabelSource,
    PictureRecord,
    first_label,
    sources_after_clip,
    sources_before_clip,
    spread_texts,
    told_apart,
)
from .layout.layout import Limits, plan_grid
from .layout.metrics import ENDLESS, badge_space
from .layout.plan import GridPlan, LayoutInput, Measure, ScaleTexts, SheetTexts
from .paint.resize import Resizer, resize_fast, resize_lanczos
from .pictures.survey import Picture, Skipped, Survey, data_warnings
from .table.matching import TableMatch, match_pictures
from .table.table import Table
from .template import AUTO, GridTemplate, parse_sources
from .text.fit import fit_text, visible_part
from .text.fonts import Faces, find_faces
from .text.line import TextStyle, plain_lines


@dataclass(frozen=True)
class PlanInputs:
    """What the caller gives beside pictures and template. Lists go with the pictures in the order they were given."""

    #: One label per picture, None for the next source; or one for all.
    labels: Sequence[str | None] = ()
    table: Table | None = None
    scores: Sequence[Mapping[str, float]] = ()
    #: Asked once, for the pictures that no earlier source of labels knows, and not at all if there are none.
    labeller: Labeller | None = None
    #: Asked once, for all pictures; given scores go before its scores.
    scorer: Scorer | None = None
    #: Warnings of these two, read once they have answered.
    clip_notes: Sequence[str] = ()
    #: Instead of the template's own resampling.
    resizer: Resizer | None = None
    #: Instead of the fonts of the machine.
    faces: Faces | None = None


@dataclass(frozen=True)
class PlannedSheet:
    """A sheet that is decided in every pixel but not painted; all lists are in the order of the sheet."""

    template: GridTemplate
    pictures: tuple[Picture, ...]
    #: Where each picture stood among those of the survey, from 0.
    input_indices: tuple[int, ...]
    skipped: tuple[Skipped, ...]
    labels: tuple[Label, ...]
    values: tuple[Mapping[str, str], ...]
    scores: tuple[Mapping[str, float], ...]
    axes: Axes | None
    texts: SheetTexts
    plan: GridPlan
    badges: Badges
    #: None when the template asks for none, or no picture has a score.
    heat_map: HeatMap | None
    faces: Faces
    resizer: Resizer
    warnings: tuple[str, ...]


def plan_sheet(survey: Survey, template: GridTemplate, inputs: PlanInputs | None = None) -> PlannedSheet:
    """Decide order, labels, axes and layout. Raises InputError when there is nothing to show or an option is wrong."""
    inputs = inputs or PlanInputs()
    if not survey.pictures:
        raise InputError(_nothing_to_show(survey))
    faces = inputs.faces or find_faces(template.font)
    warnings = [f"the template's key {key!r} is not known and has no effect" for key in template.unknown]

    warnings += [*survey.notes, *data_warnings(survey.pictures)]
    match, more = match_pictures(inputs.table, survey.pictures)
    warnings += more
    records = _records(survey, match)
    axes, records = _find_axes(template, records, inputs.table)

    scorer_scores, clip_warnings = ask_scorer(inputs.scorer, survey.pictures)
    warnings += clip_warnings
    sources, label_scores, more = _label_sources(template, inputs, records, axes, clip_warnings)
    warnings += [*more, *inputs.clip_notes]
    scores = merge_scores(scorer_scores, label_scores, inputs.scores)
    order, more = _order(template, inputs, records, scores)
    warnings += more
    # from here on in the order of the sheet
    records = [replace(records[i], place=place) for place, i in enumerate(order)]
    scores = [scores[i] for i in order]
    pictures = [record.picture for record in records]
    labels = [first_label(record, sources) for record in records]
    values = [record.values for record in records]

    badges, more = _badges(template, inputs, scores, values, shared_score_name(scorer_scores))
    warnings += more
    heat_map, more = find_heat_map(badges, axes, values) if template.heatmap == "on" else (None, [])
    warnings += more
    tables, more = make_tables(template, axes, values, heat_map)
    warnings += more
    badges = heat_map.on_badges(badges) if heat_map else badges
    layout = _layout(template, pictures, labels, tables, heat_map, faces)
    badges = badges if heat_map else replace(badges, is_named=_holds_names(layout, badges))
    layout = replace(layout, texts=replace(layout.texts, legend=legend_of(template, axes, values, badges)))
    plan = plan_grid(layout, Limits.of(template.format))
    warnings += [*plan.notes, *_size_warnings(template, plan)]
    return PlannedSheet(
        template=template,
        pictures=tuple(pictures),
        input_indices=tuple(order),
        skipped=survey.skipped,
        labels=tuple(labels),
        values=tuple(values),
        scores=tuple(scores),
        axes=axes,
        texts=layout.texts,
        plan=plan,
        badges=badges,
        heat_map=heat_map,
        faces=faces,
        resizer=_resizer(template, inputs),
        warnings=tuple(warnings),
    )


def _nothing_to_show(survey: Survey) -> str:
    if not survey.skipped:
        return "there are no pictures; give a folder, a glob or files of png, jpeg, webp, avif, tiff, bmp or gif"
    first = survey.skipped[0]
    if len(survey.skipped) == 1:
        return f"the only file found cannot be shown: {first.name}: {first.reason}"
    return f"none of the {len(survey.skipped)} files found can be shown; the first is {first.name}: {first.reason}"


def _records(survey: Survey, match: TableMatch | None) -> list[PictureRecord]:
    records = [PictureRecord(picture, index, index) for index, picture in enumerate(survey.pictures)]
    if not match:
        return records
    rows = zip(records, match.rows, match.order, strict=True)
    return [replace(record, row=row, row_index=row_index) for record, row, row_index in rows]


def _find_axes(
    template: GridTemplate, records: list[PictureRecord], table: Table | None
) -> tuple[Axes | None, list[PictureRecord]]:
    """The axes, unless the layout is set by hand and no axis was asked for by name; and the records with the columns
    that these need.
    """
    asked = [template.x_axis, template.y_axis, template.page_axis]
    by_hand = template.rows or template.columns or template.row_headers or template.column_headers
    if by_hand and all(axis in (AUTO, "", "none") for axis in asked):
        return None, records
    values = _without_labels([record.values for record in records])
    _check_filled(asked, values, table.columns if table else ())
    axes, columns = find_axes_with_loras(values, x=template.x_axis, y=template.y_axis, page=template.page_axis)
    if not columns:
        return axes, records
    return axes, [record.with_values(added) for record, added in zip(records, columns, strict=True)]


def _without_labels(values: Sequence[Mapping[str, str]]) -> Sequence[Mapping[str, str]]:
    """The values without those columns that are labels."""
    names = {plain_name(column) for column in LABEL_COLUMNS}
    columns = set(chain.from_iterable(values))
    labels = {column for column in columns if plain_name(column) in names}
    if not labels:
        return values
    return [{column: text for column, text in picture.items() if column not in labels} for picture in values]


def _check_filled(axes: Sequence[str], values: Sequence[Mapping[str, str]], columns: Sequence[str]) -> None:
    """Raises InputError for an axis that is a column of the table in which no picture has anything."""
    asked = {plain_name(axis) for axis in axes}
    if named := [column for column in columns if plain_name(column) in asked]:
        filled = set(map(plain_name, set(chain.from_iterable(values))))
        if empty := [column for column in named if plain_name(column) not in filled]:
            raise InputError(
                f"the column {empty[0]!r} cannot be an axis: it is empty for every picture; fill it or choose another"
            )


def _label_sources(
    template: GridTemplate,
    inputs: PlanInputs,
    records: Sequence[PictureRecord],
    axes: Axes | None,
    clip_warnings: Sequence[str],
) -> tuple[list[LabelSource], list[Mapping[str, float]], list[str]]:
    """The sources of labels in the order in which they are asked, the scores of labels from CLIP, and warnings."""
    if template.label_position == "none":
        return [], [], []
    enabled = parse_sources(template.label_sources)
    texts, warnings = spread_texts(inputs.labels, len(records))
    shown = {*axes.constant, *(axis.name for axis in axes.used)} if axes else set()
    if axes and LORAS not in (*axes.varying, *axes.constant):
        # they are shown by name and weight
        shown.add(LORAS)
    sources = sources_before_clip(template, records, texts, shown, inputs.table.columns if inputs.table else ())
    before = [source for source in sources if source.name in enabled]
    # without generation data, file names are what was asked for
    told = told_apart(records, [axis.name for axis in axes.used]) if axes and "metadata" in enabled else ()
    after = [source for source in sources_after_clip(records, shown, told) if source.name in enabled]
    labels: dict[int, ClipLabel] = {}
    if inputs.labeller and "clip" in enabled:
        labels, more = ask_labeller(inputs.labeller, records, before, clip_warnings)
        warnings += more
    scores = [labels[record.index].scores if record.index in labels else {} for record in records]
    return [*before, ClipSource(labels), *after], scores, warnings


def _order(
    template: GridTemplate,
    inputs: PlanInputs,
    records: Sequence[PictureRecord],
    scores: Sequence[Mapping[str, float]],
) -> tuple[list[int], list[str]]:
    """The indices of the pictures in the order of the sheet, and warnings."""
    if template.sort_by == "csv" and inputs.table is None:
        raise InputError("sort_by is csv, but there is no table; give one or sort by name")
    order, is_sorted = sort_pictures(records, scores, template.sort_by, reverse=template.reverse)
    if is_sorted:
        return order, []
    problem = f"sort_by names {template.sort_by!r}, which no picture has"
    cure = "sort by name, time, given, csv, a column or a score"
    return order, _error_or_warning(inputs, f"{problem}; {cure}", f"{problem}; sorted by name")


def _badges(
    template: GridTemplate,
    inputs: PlanInputs,
    scores: Sequence[Mapping[str, float]],
    values: Sequence[Mapping[str, str]],
    scorer_name: str,
) -> tuple[Badges, list[str]]:
    """The badges of the score or column that is asked for, or else of the only one there is to show; and warnings."""
    has_heat_map = template.heatmap == "on"
    name = template.badge or scorer_name or (shared_score_name(scores) if has_heat_map else "")
    if not name:
        return Badges(), missing_score(scores, heat_map=has_heat_map, winner=template.winner != "none")
    badges = read_badges(name, scores, values, template.winner)
    if badges.texts:
        return badges, list(badges.notes)
    problem = f"badge names {name!r}, which is neither a score nor a column of any picture"
    return badges, _error_or_warning(inputs, problem, problem)


def _error_or_warning(inputs: PlanInputs, error: str, warning: str) -> list[str]:
    """The warning, where what is missing may be what CLIP did not find; else raises InputError."""
    if not (inputs.labeller or inputs.scorer):
        raise InputError(error)
    return [warning]


def _layout(
    template: GridTemplate,
    pictures: Sequence[Picture],
    labels: Sequence[Label],
    tables: Sequence[PageTable],
    heat_map: HeatMap | None,
    faces: Faces,
) -> LayoutInput:
    """What the pages are laid out from, but for the legend."""
    texts = SheetTexts(
        labels_without_shared([label.text for label in labels]), template.title, template.header, "", template.footer
    )
    return LayoutInput(
        template=template,
        sizes=[picture.size for picture in pictures],
        tables=tables,
        texts=texts,
        measure=text_measure(lambda: faces),
        measure_bold=text_measure(lambda: faces.bold),
        scale=ScaleTexts(*heat_map.scale_texts()) if heat_map else None,
        count_lines=lambda text, width, size: plain_lines(text, width, size, faces),
    )


def _holds_names(layout: LayoutInput, badges: Badges) -> bool:
    """Whether the badges have space for the name of the score beside it, in pictures of all sizes."""
    longest = max(badges.texts.values(), key=len, default="")
    if not longest:
        return False
    font, width = badge_space(layout)
    return layout.measure(f"{badges.name} {longest}", ENDLESS, font, ENDLESS)[0] <= width


def _size_warnings(template: GridTemplate, plan: GridPlan) -> list[str]:
    largest = max(page.width * page.height for page in plan.pages)
    if largest <= MAX_PIXELS or template.format not in ("png", "tiff"):
        return []
    return [
        f"a page has {largest // 1_000_000} megapixels; many viewers, Pillow's default among them, refuse more "
        f"than {MAX_PIXELS // 1_000_000}; fewer rows make more pages"
    ]


def _resizer(template: GridTemplate, inputs: PlanInputs) -> Resizer:
    if inputs.resizer:
        return inputs.resizer
    if template.resample == "torch":
        raise InputError("resample is torch, but no resizer was handed in; choose fast or lanczos")
    return resize_fast if template.resample == "fast" else resize_lanczos


def text_measure(faces: Callable[[], Faces]) -> Measure:
    """Measures text that is wrapped but not shrunk; faces: asked for when the first text is measured."""

    def measure(text: str, width: int, size: int, height: int) -> tuple[int, int]:
        style = TextStyle(
            size=size, min_size=size, fill=(0, 0, 0), outline=(0, 0, 0), outline_width=0, align="left", shorten="end"
        )
        part = visible_part(text, width, height, style)
        if len(part) < len(text.strip()):
            # it has more characters than the height can show
            return width, height + 1
        # balanced lines are as many and as high
        block = fit_text(part, width, ENDLESS, style, faces(), balanced=False)
        return block.width, block.height

    return measure
