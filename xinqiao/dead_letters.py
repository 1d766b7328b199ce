"""``xinqiao dead``: dead letters listed, shown, requeued and dropped."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from nats.js.errors import NotFoundError
from rich.markup import escape
from rich.table import Table

from chassis.errors import NotFound
from xinqiao.shell import console, installation, run, short

dead_app = typer.Typer(no_args_is_help=True, help="Dead letters: list, show, requeue, drop.")


@dead_app.command(name="list")
def list_dead(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    event: Annotated[str | None, typer.Option(help="Only those of the event with this id.")] = None,
) -> None:
    """All dead letters, those that failed alike side by side."""
    from chassis.dead import letters

    async def work() -> list[Any]:
        bus = await installation().bus()
        try:
            return [letter async for letter in letters(bus) if event in (None, letter.event_id)]
        finally:
            await bus.close()

    found = sorted(run(work()), key=lambda one: (one.fingerprint, one.sequence))
    if as_json:
        for letter in found:
            typer.echo(json.dumps({"at": letter.at.isoformat(), **{name: getattr(letter, name) for name in LISTED}}))
        return
    table = Table()
    for column in ("no.", "at", "consumer", "reason", "field", "deliveries", "alike", "event"):
        table.add_column(column, no_wrap=False, overflow="fold")
    for letter in found:
        row = (letter.sequence, short(letter.at), letter.consumer, letter.reason, letter.field or "")
        state = "dropped" if letter.dropped else str(letter.deliveries)
        table.add_row(*(escape(str(cell)) for cell in row), state, letter.fingerprint, escape(letter.event_id or ""))
    console.print(table if found else "there are no dead letters")


LISTED = (
    *("sequence", "consumer", "reason", "field", "deliveries", "fingerprint", "event_id", "subject"),
    "dropped",
)


@dead_app.command(name="show")
def show_dead(number: int) -> None:
    """One dead letter, whole. What is sealed in it stays sealed."""

    async def work(bus: Any, letter: Any) -> None:
        console.print_json(
            data={
                **{name: getattr(letter, name) for name in ("subject", "consumer", "deliveries", "reason", "detail")},
                "field": letter.field,
                "at": letter.at.isoformat(),
                "stream": f"{letter.stream} {letter.stream_sequence}",
                "headers": letter.headers,
            }
        )
        # To the letter: a body that is folded into lines is another body.
        typer.echo(letter.body.decode(errors="replace"))

    _with_letter(number, work)


@dead_app.command()
def requeue(number: int) -> None:
    """Put the message back on its stream as it was; who has taken it already takes it no second time."""
    from chassis import dead

    _with_letter(number, dead.requeue)
    console.print("requeued")


@dead_app.command()
def drop(
    number: int, why: Annotated[str, typer.Option(prompt=True)], who: Annotated[str, typer.Option(prompt=True)]
) -> None:
    """Give a message up; who did it and why is kept."""
    from chassis import dead

    _with_letter(number, lambda bus, letter: dead.drop(bus, letter, who, why))
    console.print("dropped")


def _with_letter(number: int, action: Any) -> None:
    from chassis import dead

    async def work() -> None:
        bus = await installation().bus()
        try:
            await action(bus, await dead.get(bus, number))
        except NotFoundError as error:
            raise NotFound(f"there is no dead letter {number}") from error
        finally:
            await bus.close()

    run(work())
