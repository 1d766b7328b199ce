"""What the crisis service works with: its policies, and its keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from chassis.sealing import Envelope, PersonKeys, keyed_hash, read_master_key
from services.crisis.domain.policy import Policies, load_policies


@dataclass(frozen=True)
class Office:
    """What commands, handlers and routes are given besides their transaction."""

    policies: Policies
    keys: PersonKeys
    envelope: Envelope
    pseudonym: Callable[[str], str]
    """A person's identifier, a telephone number for example, to the pseudonym under which this service knows it."""


def open_office(policy_folder: Path | None, master_key_file: Path, sealing_key_file: Path) -> Office:
    """Read policies, those that ship and a district's own, and keys; raises `ValueError` that names the file."""
    master_key = read_master_key(master_key_file)
    return Office(
        policies=load_policies(policy_folder),
        keys=PersonKeys(master_key),
        envelope=Envelope(sealing_key_file),
        pseudonym=partial(keyed_hash, master_key, "person"),
    )
