"""What the registry writes: each change with its event, nothing where nothing changes."""

from services.registry.commands.divisions import add_local_division, known_division, list_divisions
from services.registry.commands.duty import Roster, add_duties, withdraw_duty, write_roster
from services.registry.commands.organisations import flaw_in_change, register_organisation, write_organisation
from services.registry.commands.volunteers import (
    erase_volunteer,
    registration_of,
    volunteer_differs,
    write_volunteer,
)

__all__ = [
    "Roster",
    "add_duties",
    "add_local_division",
    "erase_volunteer",
    "flaw_in_change",
    "known_division",
    "list_divisions",
    "register_organisation",
    "registration_of",
    "volunteer_differs",
    "withdraw_duty",
    "write_organisation",
    "write_roster",
    "write_volunteer",
]
