"""Damaged files are read, or refused by name, in little time and memory; ``python -m tests.fuzz`` tries thousands."""

from __future__ import annotations

from pathlib import Path

import pytest

from .cases import Cases, problem_of


@pytest.fixture(scope="module")
def cases() -> Cases:
    return Cases()


@pytest.mark.parametrize("first", (0, 25))
def test_damaged_pictures_cost_themselves_alone(
    first: int, cases: Cases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(first, first + 25):
        (folder := tmp_path / str(number)).mkdir()
        monkeypatch.chdir(folder)

        assert problem_of(cases.picture(number), folder) == "", number


# of each text that there is, one
@pytest.mark.parametrize("first", (0, 20, 40))
def test_damaged_tables_templates_and_the_like_are_read_or_refused_by_name(
    first: int, cases: Cases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(first, first + 20):
        (folder := tmp_path / str(number)).mkdir()
        monkeypatch.chdir(folder)

        assert problem_of(cases.text(number), folder) == "", number
