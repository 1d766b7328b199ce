"""Run one service in this process."""

from __future__ import annotations

import importlib
import os

import uvloop

from chassis import observe
from chassis.service import Blueprint, Service
from chassis.settings import Settings
from contracts.topology import SERVICES


def serve(name: str) -> None:
    """Serve until told to stop. Raises `ValueError` for a service that there is not."""
    if name not in SERVICES:
        raise ValueError(f"there is no service {name}; there are {', '.join(SERVICES)}")
    os.environ.setdefault("XINQIAO_SERVICE", name)
    settings = Settings()
    observe.configure_logging(settings.log_level)
    blueprint = importlib.import_module(f"services.{name}.app").blueprint(settings)
    uvloop.run(_run(settings, blueprint))


async def _run(settings: Settings, blueprint: Blueprint) -> None:
    service = Service(settings, blueprint)
    await service.run()
