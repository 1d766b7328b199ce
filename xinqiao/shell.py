"""What every command of ``xinqiao`` needs: the console, the installation, and how an error is told."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer
from rich.console import Console

from chassis.errors import NotAllowed, NotFound, Refused
from xinqiao.installation import Installation, from_environment
from xinqiao.local import Stack, StackError, chosen_ports

T = TypeVar("T")

console = Console()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run it, and say in one line what a person can mend."""
    try:
        return asyncio.run(work)
    except (Refused, NotAllowed, NotFound) as error:
        console.print(f"[red]{error.detail}[/red]")
        raise typer.Exit(1) from error
    except StackError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error


def local_home() -> Path:
    return Path(os.environ.get("XINQIAO_HOME", ".xinqiao"))


def local_stack() -> Stack:
    home = local_home()
    return Stack(home, chosen_ports(home))


def installation() -> Installation:
    """The installation that the environment names, or the local stack."""
    return from_environment() or local_stack().installation


def refuse(text: str) -> NoReturn:
    """The command was called in a way that cannot be: one line, and 2 as for an option that there is not."""
    typer.echo(text, err=True)
    raise typer.Exit(2)


def short(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
