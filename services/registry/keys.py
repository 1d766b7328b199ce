"""What the registry keeps people under: a data key for each, and hashes that find a person again without a name."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from chassis.sealing import PersonKeys, keyed_hash, read_master_key
from services.registry.domain.people import Registration, identity_parts
from services.registry.policy import Policies


@dataclass(frozen=True)
class Keys:
    """The persons' data keys, the master key that wraps them, and the policies in force."""

    persons: PersonKeys
    master: bytes
    policies: Policies = field(default_factory=Policies.load)

    @classmethod
    def read(cls, master_key_file: Path, policy_folder: Path | None = None) -> Keys:
        """From a file that holds 32 bytes in base64."""
        master = read_master_key(master_key_file)
        return cls(PersonKeys(master), master, Policies.load(policy_folder))

    def identity(self, division: str, person: Registration) -> str:
        """The same for the same name and number within a county."""
        return keyed_hash(self.master, "volunteer", division[:6], *identity_parts(person.name, person.phone))

    def traits(self, person: Registration) -> dict[str, str]:
        """Keyed hashes by which doubles are found: of the number, the name and the employer (empty where unknown)."""
        name, phone = identity_parts(person.name, person.phone)
        return {
            "phone_key": keyed_hash(self.master, "phone", phone),
            "name_key": keyed_hash(self.master, "name", name),
            "employer_key": keyed_hash(self.master, "employer", person.employer) if person.employer else "",
        }

    def digest(self, person: Registration) -> str:
        """The same as long as nothing about the person changes."""
        return keyed_hash(self.master, "registration", json.dumps(asdict(person), sort_keys=True, ensure_ascii=False))
