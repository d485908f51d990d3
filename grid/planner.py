"""What a caller gives for a sheet beside its pictures and its template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..csv_cells import plain_name
from ..errors import InputError
from ..imaging import MAX_PIXELS
from .arrange.axes import Axes, Sheet, find_axes
from .arrange.badges import BadgeValues, Marks, read_badges
from .arrange.heat_map import HeatMap, find_heat_map, no_heat_map
from .arrange.pages import make_sheets
from .arrange.sorting import order_pictures
from .labels.clip import Labeller, Scorer, find_labels, find_scores, merge_scores, only_name
from .labels.names import LABEL_COLUMNS, LONG_COLUMNS
from .labels.sources import (
    ClipSource,
    FoundLabel,
    Label,
    LabelSource,
    Subject,
    given_texts,
    label_pictures,
    sources_after_clip,
    sources_before_clip,
)
from .layout.layout import plan_grid
from .layout.limits import Limits
from .layout.plan import GridPlan, Measure, PlanInput, PlanTexts
from .paint.resize import Resizer, resize_fast, resize_lanczos
from .pictures.survey import Picture, Skipped, Survey, facts_of
from .table.rows import find_rows
from .table.table import Match, Table
from .template import AUTO, GridTemplate, parse_sources
from .text.draw import fit_text
from .text.fonts import Faces, find_faces
from .text.line import TextStyle


@dataclass(frozen=True)
class Wishes:
    """What the caller gives beside pictures and template. Lists go with the pictures in the order they were given."""

    #: One label per picture, or one for all.
    labels: Sequence[str] = ()
    table: Table | None = None
    scores: Sequence[Mapping[str, float]] = ()
    #: Asked once, for the pictures that no earlier source of labels knows, and not at all if there are none.
    labeller: Labeller | None = None
    #: Asked once, for all pictures; given scores beat what it finds.
    scorer: Scorer | None = None
    #: What these two want the user to know, read once they have answered.
    found_notes: Sequence[str] = ()
    #: Instead of the template's own resampling.
    resizer: Resizer | None = None
    #: Fonts of the machine are looked for unless faces are given.
    faces: Faces | None = None

    def missing(self, reason: str, warning: str) -> list[str]:
        """The warning, where what is missing may be what CLIP did not find; else raises InputError with the reason."""
        if not (self.labeller or self.scorer):
            raise InputError(reason)
        return [warning]


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
    #: None when the template asks for none, or no picture has a score.
    heat_map: HeatMap | None = None
    #: Where each picture stood among those of the survey, from 0.
    given: tuple[int, ...] = ()


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
        self.allowed = parse_sources(template.label_sources)
        self.faces = wishes.faces or find_faces(template.font)

    def plan(self) -> PlannedSheet:
        match = self._match()
        given = [self._subject(index, index, match) for index in range(len(self.survey.pictures))]
        self.axes = self._axes(given)
        self._look(given)
        order = self._order(match)
        self.pictures = tuple(self.survey.pictures[i] for i in order)
        self.subjects = [self._subject(place, i, match) for place, i in enumerate(order)]
        self.scores = tuple(self.given_scores[i] for i in order)
        labels = self._labels()
        badges = self._badges()
        heat_map = self._heat_map(badges)
        sheets = self._sheets(heat_map)
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
            marks=self._marks(badges, heat_map),
            faces=self.faces,
            resizer=self._resizer(),
            warnings=tuple(self.warnings),
            heat_map=heat_map,
            given=tuple(order),
        )

    def _match(self) -> Match | None:
        match, warnings = find_rows(self.wishes.table, self.survey.pictures)
        self.warnings += warnings
        return match

    def _order(self, match: Match | None) -> list[int]:
        order, missing = order_pictures(self.survey.pictures, self.template, match, self.given_scores)
        if missing:
            self.warnings += self.wishes.missing(*missing)
        return order

    def _subject(self, place: int, index: int, match: Match | None) -> Subject:
        picture = self.survey.pictures[index]
        row = match.rows[index] if match else None
        return Subject(index, picture.name, row, picture.values, facts_of(picture, place))

    def _axes(self, subjects: Sequence[Subject]) -> Axes | None:
        """The axes, unless the layout is set by hand and no axis was asked for by name."""
        template = self.template
        wanted = [template.x_axis, template.y_axis, template.page_axis]
        by_hand = template.rows or template.columns or template.row_headers or template.column_headers
        if by_hand and all(axis in (AUTO, "", "none") for axis in wanted):
            return None
        hidden = {plain_name(column) for column in LABEL_COLUMNS}
        values = [
            {column: value for column, value in subject.values.items() if plain_name(column) not in hidden}
            for subject in subjects
        ]
        return find_axes(values, x=template.x_axis, y=template.y_axis, page=template.page_axis)

    @property
    def _is_table(self) -> bool:
        return self.axes is not None and bool(self.axes.x or self.axes.y or self.axes.page)

    def _look(self, subjects: Sequence[Subject]) -> None:
        """Everything that is asked of the pictures themselves, in the order in which they were given."""
        pictures = self.survey.pictures
        scores: list[Mapping[str, float]] = [{}] * len(pictures)
        if self.wishes.scorer:
            scores, warnings = find_scores(self.wishes.scorer, pictures)
            self.warnings += warnings
        self.scorer_name = only_name(scores)
        self.sources, self.found = self._find_labels(subjects)
        self.warnings += self.wishes.found_notes
        labels = [self.found[index].scores if index in self.found else {} for index in range(len(pictures))]
        self.given_scores = merge_scores(scores, labels, self.wishes.scores)

    def _find_labels(self, subjects: Sequence[Subject]) -> tuple[list[LabelSource], dict[int, FoundLabel]]:
        """The sources of labels in the order in which they are asked, and the labels that CLIP found."""
        if self.template.label_position == "none":
            return [], {}
        texts, warnings = given_texts(self.wishes.labels, len(subjects))
        self.warnings += warnings
        axes = self.axes
        shown = {axis.name for axis in (axes.x, axes.y, axes.page) if axis} if axes else set()
        before = self._allowed(sources_before_clip(self.template, subjects, texts, shown))
        after = self._allowed(sources_after_clip(subjects, shown))
        found: dict[int, FoundLabel] = {}
        if self.wishes.labeller and "clip" in self.allowed:
            found, warnings = find_labels(self.wishes.labeller, self.survey.pictures, subjects, before)
            self.warnings += warnings
        return [*before, ClipSource(found), *after], found

    def _allowed(self, sources: Sequence[LabelSource]) -> list[LabelSource]:
        return [source for source in sources if source.name in self.allowed]

    def _labels(self) -> list[Label]:
        labels = label_pictures(self.subjects, self.sources)
        runners_up = {index: label.runner_up for index, label in self.found.items()}
        return [
            replace(label, runner_up=runners_up.get(subject.index, ""))
            for label, subject in zip(labels, self.subjects, strict=True)
        ]

    def _sheets(self, heat_map: HeatMap | None) -> list[Sheet]:
        values = [subject.values for subject in self.subjects]
        sheets, warnings = make_sheets(self.template, self.axes if self._is_table else None, values, heat_map)
        self.warnings += warnings
        return sheets

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

    def _badges(self) -> BadgeValues:
        """The score or column that the badges show: the one asked for, or the only one there is to show."""
        wants_heat = self.template.heatmap == "on"
        name = self.template.badge or self.scorer_name or (only_name(self.scores) if wants_heat else "")
        if not name:
            if wants_heat:
                self.warnings += self.wishes.missing(*no_heat_map(self.scores))
            return BadgeValues()
        badges = read_badges(name, self.scores, [subject.values for subject in self.subjects])
        if not badges.texts:
            message = f"badge names {name!r}, which is neither a score nor a column of any picture"
            self.warnings += self.wishes.missing(message, message)
        return badges

    def _heat_map(self, badges: BadgeValues) -> HeatMap | None:
        if self.template.heatmap == "off":
            return None
        heat_map, warnings = find_heat_map(badges, self.axes, [subject.values for subject in self.subjects])
        self.warnings += warnings
        return heat_map

    def _marks(self, badges: BadgeValues, heat_map: HeatMap | None) -> Marks:
        tints = heat_map.tints(badges.numbers) if heat_map else {}
        return Marks(badges.texts, badges.best(self.template.winner), tints, badges.name)

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


def _nothing_to_show(survey: Survey) -> str:
    if not survey.skipped:
        return "there are no pictures; give a folder, a glob or files of png, jpeg, webp, avif, tiff, bmp or gif"
    first = survey.skipped[0]
    return f"none of the {len(survey.skipped)} files found can be shown; the first is {first.name}: {first.reason}"
