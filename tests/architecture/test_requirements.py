"""docs/requirements.csv names requirements and tests that there are."""

from __future__ import annotations

import ast
import csv
import re

import pytest

from tests.architecture.source import ROOT, tree

FILE = ROOT / "docs" / "requirements.csv"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with FILE.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == ["id", "tests", "note"]
        return list(reader)


def _tests(row: dict[str, str]) -> list[str]:
    return [name for name in re.split(r"[;\s]+", row["tests"]) if name]


def test_every_id_is_a_requirement_and_stands_once(rows: list[dict[str, str]]) -> None:
    ids = [row["id"] for row in rows]
    assert ids
    assert [ident for ident in ids if not (re.fullmatch(r"R[0-9]{3}", ident) and 1 <= int(ident[1:]) <= 657)] == []
    assert sorted(ids) == sorted(set(ids))


def test_every_row_names_tests_or_the_reason_why_it_cannot_be_software(rows: list[dict[str, str]]) -> None:
    assert [row["id"] for row in rows if not _tests(row) and len(row["note"]) < 20] == []


def _functions(path: str) -> set[str]:
    module = tree(ROOT / path)
    found = {node.name for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    for node in module.body:
        if isinstance(node, ast.ClassDef):
            inner = {step.name for step in node.body if isinstance(step, ast.FunctionDef | ast.AsyncFunctionDef)}
            found |= {f"{node.name}::{name}" for name in inner}
    return found


def test_every_test_that_is_named_is_there(rows: list[dict[str, str]]) -> None:
    wrong = []
    for row in rows:
        for name in _tests(row):
            path, _, function = name.partition("::")
            plain = function.partition("[")[0]
            there = path.startswith("tests/") and (ROOT / path).is_file() and plain in _functions(path)
            if not (there and plain.split("::")[-1].startswith("test_")):
                wrong.append(f"{row['id']}: {name}")
    assert wrong == []
