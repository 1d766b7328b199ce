"""What the registry is made of, and what it needs at start."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from chassis.settings import Settings
from contracts.matching import OfferAccepted
from services.registry.app import blueprint
from services.registry.store import COLLECTIONS


def settings(tmp_path: Path, master_key: str | None) -> Settings:
    if master_key is not None:
        (tmp_path / "master").write_text(master_key)
    return Settings(
        service="registry",
        mongo_uri_file=tmp_path / "mongo",
        token_keys_file=tmp_path / "keys",
        master_key_file=tmp_path / "master" if master_key is not None else None,
    )


def test_the_registry_hears_of_taken_calls_and_prepares_its_collections(tmp_path: Path) -> None:
    made = blueprint(settings(tmp_path, base64.b64encode(os.urandom(32)).decode()))
    assert [handles.event for handles in made.handles] == [OfferAccepted]
    assert made.collections == COLLECTIONS
    assert "person_keys" in made.collections


@pytest.mark.parametrize("key", [None, "c2hvcnQ=", "not base64!"])
def test_the_registry_does_not_start_without_a_sound_master_key(tmp_path: Path, key: str | None) -> None:
    with pytest.raises(ValueError, match=r"32 bytes|MASTER_KEY|base64|non-alphabet|character"):
        blueprint(settings(tmp_path, key))
