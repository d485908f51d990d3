"""The types of keyword options name exactly what is declared."""

from __future__ import annotations

from typing import Literal, get_type_hints

import pytest
from clip_grid.api import (
    ApplySettings,
    ClipOptions,
    GridTemplate,
    LabelOptions,
    MatchOptions,
    RankOptions,
    ReferenceSettings,
)
from clip_grid.api import options as keywords
from clip_grid.api.index import IndexOptions
from clip_grid.api.search import SearchOptions
from clip_grid.clip_backend.learning.options import TrainOptions
from clip_grid.options import options_of

TYPES = {
    keywords.SheetKeywords: (GridTemplate, ClipOptions),
    keywords.LabelKeywords: (LabelOptions,),
    keywords.MatchKeywords: (MatchOptions,),
    keywords.RankKeywords: (RankOptions,),
    keywords.IndexKeywords: (IndexOptions,),
    keywords.SearchKeywords: (SearchOptions,),
    keywords.TrainKeywords: (TrainOptions,),
    keywords.ConditioningKeywords: (ApplySettings, ReferenceSettings),
}


@pytest.mark.parametrize("typed", TYPES, ids=lambda typed: typed.__name__)
def test_keyword_types_are_those_of_the_declared_options(typed):
    declared = {name: one for cls in TYPES[typed] for name, one in options_of(cls).items()}

    expected = {name: Literal[one.choices] if one.choices else type(one.default) for name, one in declared.items()}
    assert get_type_hints(typed) == expected
    assert typed.__required_keys__ == frozenset()


def test_functions_with_parameters_of_their_own_take_the_other_options():
    sheet, assemble = set(get_type_hints(keywords.SheetKeywords)), set(get_type_hints(keywords.AssembleKeywords))
    assert sheet - assemble == {"label_columns", "use_clip", "clip_model"}
    matching = set(get_type_hints(keywords.MatchKeywords))
    assert matching - set(get_type_hints(keywords.PhraseKeywords)) == {"threshold"}
