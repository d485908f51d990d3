"""What goes onto a sheet: order, labels, axes, layout and marks, decided in every pixel before anything is painted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite

from ..errors import ClipGridError, InputError
from ..imaging import MAX_PIXELS
from .axes import Axes, Sheet, arrange, find_axes
from .columns import plain_name
from .fonts import Faces, find_faces
from .labels import (
    LABEL_COLUMNS,
    LONG_COLUMNS,
    ClipSource,
    ColumnNames,
    ColumnsSource,
    FileNameSource,
    Label,
    LabelSource,
    MetadataSource,
    Subject,
    TableSource,
    TextSource,
    check_columns,
    label_pictures,
    parse_sources,
    split_columns,
    split_headers,
    spread_texts,
    varying_columns,
)
from .layout import plan_grid
from .limits import Limits
from .pictures import Picture, Skipped, Survey, facts_of, sort_pictures
from .plan import GridPlan, Measure, PlanInput, PlanTexts
from .render import Marks, Resizer, resize_fast, resize_lanczos
from .report import scores_of
from .sheets import flow_sheets, limit_sheet
from .table import Match, Table, match_by_position, match_table
from .template import AUTO, GridTemplate
from .text import TextStyle, fit_text

#: Labels for these pictures, None where it is not sure; raises ClipGridError when it cannot work at all.
Labeller = Callable[[Sequence[Picture]], Sequence["str | None"]]


@dataclass(frozen=True)
class Wishes:
    """What the caller gives beside pictures and template. Lists go with the pictures in the order they were given."""

    #: One label per picture, or one for all.
    labels: Sequence[str] = ()
    table: Table | None = None
    scores: Sequence[Mapping[str, float]] = ()
    labeller: Labeller | None = None
    #: Instead of the template's own resampling.
    resizer: Resizer | None = None
    #: Fonts of the machine are looked for unless faces are given.
    faces: Faces | None = None


@dataclass(frozen=True)
class PlannedSheet:
    """A sheet that is decided in every pixel but not painted; all lists are in the order of the sheet."""

    template: GridTemplate
    pictures: tuple[Picture, ...]
    skipped: tuple[Skipped, ...]
    labels: tuple[Label, ...]
    values: tuple[Mapping[str, str], ...]
    scores: tuple[Mapping[str, float], ...]
    axes: Axes | None
    texts: PlanTexts
    plan: GridPlan
    marks: Marks
    faces: Faces
    resizer: Resizer
    warnings: tuple[str, ...] = field(default=())


def plan_sheet(survey: Survey, template: GridTemplate, wishes: Wishes | None = None) -> PlannedSheet:
    """Decide order, labels, axes and layout. Raises InputError when there is nothing to show or an option is wrong."""
    return _Planner(survey, template, wishes or Wishes()).plan()


class _Planner:
    """Collects the decisions and the warnings on the way."""

    def __init__(self, survey: Survey, template: GridTemplate, wishes: Wishes) -> None:
        if not survey.pictures:
            raise InputError(_nothing_to_show(survey))
        self.survey, self.template, self.wishes = survey, template, wishes
        self.warnings = [f"the template's key {key!r} is not known and has no effect" for key in template.unknown]
        self.sources = parse_sources(template.label_sources)
        self.faces = wishes.faces or find_faces(template.font)

    def plan(self) -> PlannedSheet:
        match = self._match()
        order = self._order(match)
        self.pictures = tuple(self.survey.pictures[i] for i in order)
        self.subjects = [self._subject(place, i, match) for place, i in enumerate(order)]
        self.scores = tuple(scores_of(self.wishes.scores, i) for i in order)
        self.axes = self._axes()
        labels = self._labels(order)
        sheets = self._sheets()
        texts = PlanTexts(
            [label.text for label in labels],
            self.template.title,
            self.template.header,
            self._legend(),
            self.template.footer,
        )
        plan = self._layout(sheets, texts)
        return PlannedSheet(
            template=self.template,
            pictures=self.pictures,
            skipped=self.survey.skipped,
            labels=tuple(labels),
            values=tuple(subject.values for subject in self.subjects),
            scores=self.scores,
            axes=self.axes,
            texts=texts,
            plan=plan,
            marks=self._marks(),
            faces=self.faces,
            resizer=self._resizer(),
            warnings=tuple(self.warnings),
        )

    def _match(self) -> Match | None:
        table = self.wishes.table
        if table is None:
            return None
        match = match_table(table, [str(p.path or p.name) for p in self.survey.pictures])
        if all(row is None for row in match.rows) and not any(p.path for p in self.survey.pictures):
            # pictures from memory have no file names that a row could name
            match = match_by_position(table, len(self.survey.pictures))
            if table.keyed:
                self.warnings.append("no row names one of the pictures; the rows were given to them in order")
        self.warnings += table.notes
        if match.unmatched:
            self.warnings.append(f"{len(match.unmatched)} rows match no picture: {_some(match.unmatched)}")
        if match.repeated:
            self.warnings.append(f"rows repeat a picture, the last one counts: {_some(match.repeated)}")
        if all(row is None for row in match.rows):
            self.warnings.append("no row of the table matches a picture; compare its key column with the file names")
        return match

    def _order(self, match: Match | None) -> list[int]:
        by = self.template.sort_by
        pictures = self.survey.pictures
        rows = match.rows if match else [None] * len(pictures)

        def key(index: int) -> str | float | None:
            if by == "csv":
                place = match.order[index] if match else None
                return None if place is None else float(place)
            known = {**facts_of(pictures[index], index), **pictures[index].values, **(rows[index] or {})}
            return ColumnNames(known).get(by)

        if by == "csv" and match is None:
            raise InputError("sort_by is csv, but there is no table; give one or sort by name")
        order = sort_pictures(pictures, by, reverse=self.template.reverse, keys=key)
        if by not in ("name", "time", "given", "csv") and all(key(i) is None for i in order):
            raise InputError(f"sort_by names {by!r}, which no picture has; sort by name, time, given, csv or a column")
        return order

    def _subject(self, place: int, index: int, match: Match | None) -> Subject:
        picture = self.survey.pictures[index]
        row = match.rows[index] if match else None
        return Subject(place, picture.name, row, picture.values, facts_of(picture, place))

    def _axes(self) -> Axes | None:
        """The axes, unless the layout is set by hand and no axis was asked for by name."""
        template = self.template
        wanted = [template.x_axis, template.y_axis, template.page_axis]
        by_hand = template.rows or template.columns or template.row_headers or template.column_headers
        if by_hand and all(axis in (AUTO, "", "none") for axis in wanted):
            return None
        hidden = {plain_name(column) for column in LABEL_COLUMNS}
        values = [
            {column: value for column, value in subject.values.items() if plain_name(column) not in hidden}
            for subject in self.subjects
        ]
        return find_axes(values, x=template.x_axis, y=template.y_axis, page=template.page_axis)

    @property
    def _is_table(self) -> bool:
        return self.axes is not None and bool(self.axes.x or self.axes.y or self.axes.page)

    def _labels(self, order: Sequence[int]) -> list[Label]:
        if self.template.label_position == "none":
            return [Label("", "none")] * len(order)
        labels = label_pictures(self.subjects, [s for s in self._all_sources(order) if s.name in self.sources])
        return labels

    def _all_sources(self, order: Sequence[int]) -> list[LabelSource]:
        """Every source that has something to say, in the order in which they are asked."""
        sources: list[LabelSource] = []
        if self.wishes.labels:
            spread, warnings = spread_texts(self.wishes.labels, len(order))
            self.warnings += warnings
            sources.append(TextSource([_text(spread[i]) for i in order]))
        columns = ColumnsSource(split_columns(self.template.label_columns), self.template.label_format)
        if columns.wanted():
            option = "label_format" if self.template.label_format else "label_columns"
            check_columns(columns.wanted(), self.subjects, option)
        if columns.wanted() or columns.format:
            sources.append(columns)
        sources.append(TableSource(self._varying([subject.row for subject in self.subjects])))
        if self.wishes.labeller:
            sources.append(ClipSource(self._ask_labeller(self.wishes.labeller)))
        sources.append(MetadataSource(self._varying([subject.generation or None for subject in self.subjects])))
        sources.append(FileNameSource())
        return sources

    def _varying(self, rows: Sequence[Mapping[str, str] | None]) -> tuple[str, ...]:
        """Columns that vary, without those that the headers show already; all of them if nothing else is left."""
        columns = varying_columns(rows)
        shown = {axis.name for axis in (self.axes.x, self.axes.y, self.axes.page) if axis} if self.axes else set()
        return tuple(column for column in columns if column not in shown) or columns

    def _ask_labeller(self, labeller: Labeller) -> Mapping[int, str | None]:
        if "clip" not in self.sources:
            return {}
        try:
            return dict(enumerate(labeller(self.pictures)))
        except ClipGridError as error:
            # labels are never worth a lost sheet
            self.warnings.append(f"no labels from CLIP: {error}; the next source was used")
            return {}

    def _sheets(self) -> list[Sheet]:
        template = self.template
        rows, columns = self._headers("row_headers"), self._headers("column_headers")
        if self.axes and self._is_table:
            tables = arrange(self.axes, [subject.values for subject in self.subjects], columns=template.columns)
            named = [self._with_axis_names(sheet) for sheet in tables]
            headed = self._with_headers(named, rows, columns)
            return [part for sheet in headed for part in limit_sheet(sheet, template.rows, template.columns)]
        fixed_rows = template.rows or (len(rows) if rows and not columns else 0)
        sheets = flow_sheets(len(self.pictures), fixed_rows, template.columns or len(columns))
        return self._with_headers(sheets, rows, columns)

    def _headers(self, option: str) -> list[str]:
        return split_headers(getattr(self.template, option))

    def _with_headers(self, sheets: Sequence[Sheet], rows: Sequence[str], columns: Sequence[str]) -> list[Sheet]:
        """The sheets with the headers that the user wrote, as far as they go.

        Each sheet has the same, unless there are enough row headers for the rows of all sheets one after another.
        """
        goes_on = len(rows) > max(sheet.rows for sheet in sheets)
        needed_rows = sum(sheet.rows for sheet in sheets) if goes_on else max(sheet.rows for sheet in sheets)
        needed_columns = max(sheet.columns for sheet in sheets)
        for name, given, needed in (("row", rows, needed_rows), ("column", columns, needed_columns)):
            if given and len(given) != needed:
                self.warnings.append(f"{len(given)} {name} headers were given for {needed} {name}s")
        headed = []
        for sheet in sheets:
            headed.append(
                replace(
                    sheet,
                    row_headers=_filled(rows, sheet.rows) if rows else sheet.row_headers,
                    column_headers=_filled(columns, sheet.columns) if columns else sheet.column_headers,
                )
            )
            rows = [*rows[sheet.rows :], ""] if goes_on else rows
        return headed

    def _with_axis_names(self, sheet: Sheet) -> Sheet:
        axes = self.axes
        if axes is None:
            return sheet
        return replace(
            sheet,
            page_value=_named(axes.page.name, sheet.page_value) if axes.page and sheet.page_value else sheet.page_value,
            row_headers=tuple(_named(axes.y.name, v) for v in sheet.row_headers) if axes.y else sheet.row_headers,
            column_headers=tuple(_named(axes.x.name, v) for v in sheet.column_headers)
            if axes.x
            else sheet.column_headers,
        )

    def _legend(self) -> str:
        wanted = self.template.legend
        if wanted == "off" or (wanted == AUTO and not self._is_table):
            return ""
        axes = self.axes or find_axes([subject.values for subject in self.subjects], x="none", y="none", page="none")
        short = {column: value for column, value in axes.constant.items() if column not in LONG_COLUMNS}
        long = {column: value for column, value in axes.constant.items() if column in LONG_COLUMNS}
        return " · ".join(f"{column}: {' '.join(value.split())}" for column, value in (short | long).items() if value)

    def _layout(self, sheets: Sequence[Sheet], texts: PlanTexts) -> GridPlan:
        sizes = [picture.size for picture in self.pictures]
        limits = Limits.of(self.template.format)
        plan = plan_grid(PlanInput(self.template, sizes, sheets, texts, ruler(self.faces), limits))
        self.warnings += plan.notes
        largest = max(page.width * page.height for page in plan.pages)
        if largest > MAX_PIXELS and self.template.format in ("png", "tiff"):
            self.warnings.append(
                f"a page has {largest // 1_000_000} megapixels; many viewers, Pillow's default among them, refuse more "
                f"than {MAX_PIXELS // 1_000_000}; fewer rows make more pages"
            )
        return plan

    def _marks(self) -> Marks:
        """Badges of the score or column that was asked for, and the pictures with the best value."""
        name = self.template.badge
        if not name:
            return Marks()
        badges = {i: text for i in range(len(self.pictures)) if (text := self._badge(name, i))}
        if not badges:
            raise InputError(f"badge names {name!r}, which is neither a score nor a column of any picture")
        numbers = {i: number for i in badges if (number := self._badge_number(name, i)) is not None}
        if self.template.winner == "none" or not numbers:
            return Marks(badges)
        best = (max if self.template.winner == "highest" else min)(numbers.values())
        return Marks(badges, frozenset(i for i, number in numbers.items() if number == best))

    def _badge(self, name: str, index: int) -> str | None:
        score = self._score(name, index)
        return format_score(score) if score is not None else ColumnNames(self.subjects[index].values).get(name)

    def _badge_number(self, name: str, index: int) -> float | None:
        """The badge as a number, in full precision."""
        score = self._score(name, index)
        return _number(ColumnNames(self.subjects[index].values).get(name) or "" if score is None else str(score))

    def _score(self, name: str, index: int) -> float | None:
        return {plain_name(key): value for key, value in self.scores[index].items()}.get(plain_name(name))

    def _resizer(self) -> Resizer:
        if self.wishes.resizer:
            return self.wishes.resizer
        if self.template.resample == "torch":
            raise InputError("resample is torch, but no resizer was handed in; choose fast or lanczos")
        return resize_fast if self.template.resample == "fast" else resize_lanczos


def ruler(faces: Faces) -> Measure:
    """Measures text that is wrapped but neither shrunk nor shortened."""

    def measure(text: str, width: int, size: int) -> tuple[int, int]:
        style = TextStyle(
            size=size, min_size=size, fill=(0, 0, 0), outline=(0, 0, 0), outline_width=0, align="left", shorten="end"
        )
        block = fit_text(text, width, 1_000_000, style, faces)
        return block.width, block.height

    return measure


def format_score(score: float) -> str:
    """Three decimals for fractions, whole numbers as they are; a dash for what is no number."""
    if not isfinite(score):
        return "–"
    return f"{score:.0f}" if score == int(score) and abs(score) >= 2 else f"{score:.3f}"


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _named(column: str, value: str) -> str:
    """A header that says what its value is; long texts speak for themselves."""
    return value if column in LONG_COLUMNS or not value else f"{column}: {value}"


def _filled(headers: Sequence[str], count: int) -> tuple[str, ...]:
    return tuple([*headers, *[""] * count][:count])


def _text(label: str | None) -> str | None:
    return None if label is None else label.replace("\\n", "\n")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _nothing_to_show(survey: Survey) -> str:
    if not survey.skipped:
        return "there are no pictures; give a folder, a glob or files of png, jpeg, webp, avif, tiff, bmp or gif"
    first = survey.skipped[0]
    return f"none of the {len(survey.skipped)} files found can be shown; the first is {first.name}: {first.reason}"
