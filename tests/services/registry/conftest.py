"""Fixtures of the registry's tests."""

from tests.services.registry.support import registry

__all__ = ["registry"]
