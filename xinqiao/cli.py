"""The command ``xinqiao``."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Coroutine
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from nats.js.errors import NotFoundError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from chassis.errors import NotAllowed, NotFound, Refused
from xinqiao.installation import Installation, from_environment
from xinqiao.local import Stack, StackError, chosen_ports
from xinqiao.secrets import Hotline

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
dead_app = typer.Typer(no_args_is_help=True, help="Dead letters: list, show, requeue, drop.")
app.add_typer(dead_app, name="dead")
console = Console()

HOTLINES = [Hotline("12356-yanzhou", "370812"), Hotline("12356-haizhou", "320706"), Hotline("12355-haizhou", "320706")]
"""The hotlines of the local stack."""


class Importable(StrEnum):
    divisions = "divisions"
    organisations = "organisations"
    volunteers = "volunteers"


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


@app.callback()
def main() -> None:
    """心桥 Xinqiao: run, feed, inspect and repair the platform."""


@app.command()
def up() -> None:
    """Start the local stack and leave it running; its data stays between runs."""
    from xinqiao.demo import load_pilot

    stack = local_stack()
    with console.status("starting nats-server, mongod and the four services"):
        run(stack.up(HOTLINES))
    run(load_pilot(stack.installation, console))
    table = Table(title="心桥 runs")
    table.add_column("what")
    table.add_column("where")
    table.add_row("nats", stack.nats_url)
    table.add_row("mongod", f"127.0.0.1:{stack.ports.mongo}")
    for name in stack.services:
        table.add_row(name, f"{stack.http_url(name)}/docs")
    table.add_row("data, logs, credentials", str(stack.home))
    console.print(table)
    console.print("`xinqiao token` makes a bearer token; `make down` stops it.")


@app.command()
def down(
    forget: Annotated[bool, typer.Option("--forget", help="Delete the data and the credentials too.")] = False,
) -> None:
    """Stop the local stack."""
    import shutil

    stack = local_stack()
    with console.status("stopping"):
        stack.stop()
    if forget:
        shutil.rmtree(stack.home)
    console.print("stopped" + (", and its data is gone" if forget else ""))


@app.command()
def demo(
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin with empty data.")] = False,
    flags: Annotated[int, typer.Option(help="How many; 0 replays the day that is kept as a file.")] = 0,
    rate: Annotated[float, typer.Option(help="Lines a second.")] = 20.0,
) -> None:
    """A hotline's day on real servers: flags in, the fan-out as it happens, and the audit of it."""
    import shutil

    from xinqiao.demo import demonstrate

    if fresh and local_home().exists():
        local_stack().stop()
        shutil.rmtree(local_home())
    result = run(demonstrate(local_stack(), HOTLINES, console, flags, rate))
    # The last line is for machines: one JSON object, never wrapped.
    typer.echo(json.dumps(result.numbers))
    raise typer.Exit(0 if result.holds else 1)


@app.command()
def serve(service: Annotated[str, typer.Argument(help="registry, matching, crisis or reporting")]) -> None:
    """Run one service in this process."""
    from xinqiao.serve import serve as serve_service

    serve_service(service)


@app.command()
def provision(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit with 1 where something drifted.")
    ] = False,
    replicas: Annotated[int, typer.Option(help="Copies of each stream in a cluster.")] = 1,
) -> None:
    """Create or set right the streams and consumers, as the topology has them."""
    from chassis import provision as provisioning

    async def work() -> list[str]:
        bus = await installation().bus("provisioner")
        try:
            if check:
                found = await provisioning.drift(bus, replicas)
                return [f"{one.what}: {one.setting} is {one.found}, wanted {one.wanted}" for one in found]
            return await provisioning.provision(bus, replicas)
        finally:
            await bus.close()

    done = run(work())
    for line in done:
        console.print(line, highlight=False)
    console.print("nothing to do" if not done else f"{len(done)} difference(s)")
    raise typer.Exit(1 if check and done else 0)


@app.command(name="import")
def import_(
    what: Importable,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    division: Annotated[str, typer.Option(help="Of the unit that hands the volunteers in.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, and change nothing.")] = False,
) -> None:
    """Take divisions (.csv, .csv.xz), organisations (.csv) or volunteers (附件1, .xlsx)."""
    from services.registry import imports
    from services.registry.domain.mistakes import Mistaken
    from services.registry.keys import Keys

    place = installation()

    async def work() -> Any:
        database = place.database("registry", "registry")
        try:
            if what is Importable.divisions:
                with Progress(
                    TextColumn("{task.description}"),
                    BarColumn(),
                    MofNCompleteColumn(),
                    TimeRemainingColumn(),
                    console=console,
                ) as bars:
                    task = bars.add_task("divisions", total=None)
                    return await imports.load_divisions(
                        database, file, progress=lambda done, total: bars.update(task, completed=done, total=total)
                    )
            if what is Importable.organisations:
                return await imports.import_organisations(database, file)
            keys = Keys.read(place.secrets.master_key("registry"))
            return await imports.import_volunteers(database, keys, file.read_bytes(), division, dry_run)
        finally:
            database.close()

    try:
        report = run(work())
    except Mistaken as error:
        for mistake in error.mistakes:
            console.print(str(mistake), highlight=False, markup=False)
        console.print(f"[red]{len(error.mistakes)} mistake(s); nothing was taken[/red]")
        raise typer.Exit(1) from error
    console.print_json(data=report.as_json())


@app.command()
def export(
    division: str, file: Path, reason: Annotated[str, typer.Option(help="Why, for the audit log.")] = "export"
) -> None:
    """Write a division's volunteers in the layout of 附件1 (.xlsx); the reading is logged."""
    from services.registry import imports
    from services.registry.keys import Keys

    place = installation()

    async def work() -> bytes:
        database = place.database("registry", "registry")
        try:
            keys = Keys.read(place.secrets.master_key("registry"))
            return await imports.export_volunteers(database, keys, division, reason=reason)
        finally:
            database.close()

    file.write_bytes(run(work()))
    console.print(f"written: {file}")


@app.command()
def flag(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A CloudEvent in structured mode.")],
    hotline: Annotated[str, typer.Option(help="Under whose credential.")] = HOTLINES[0].name,
) -> None:
    """Publish one flag over HTTP, as this hotline would."""
    import httpx

    place = installation()
    county = next((known.county for known in place.secrets.hotlines() if known.name == hotline), None)
    if county is None:
        console.print(f"[red]there is no hotline {hotline}[/red]")
        raise typer.Exit(1)
    token = place.token(f"hotline:{hotline}", ["hotline"], county, hotline=hotline)
    answer = httpx.post(
        f"{place.http['crisis']}/v1/flags", content=file.read_bytes(), headers={"authorization": f"Bearer {token}"}
    )
    console.print(answer.status_code)
    console.print_json(answer.text)
    raise typer.Exit(0 if answer.status_code == 202 else 1)


@app.command()
def simulate(
    flags: Annotated[int, typer.Option(help="How many good flags.")] = 200,
    seed: int = 1,
    into: Annotated[Path | None, typer.Option(help="Write them to this file and send nothing.")] = None,
    rate: Annotated[float | None, typer.Option(help="Lines a second; as fast as it goes without.")] = None,
) -> None:
    """Make a hotline's day, and send it as the hotlines would."""
    from xinqiao.demo import doors, send
    from xinqiao.simulate.day import write_lines
    from xinqiao.simulate.make import generate

    if into is not None:
        console.print(f"{write_lines(into, generate(flags, seed))} lines in {into}")
        return
    place = installation()
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console) as bars:
        lines = list(generate(flags, seed))
        task = bars.add_task("flags", total=len(lines))
        summary = run(send(place, doors(place), lines, rate, lambda line, answer: bars.advance(task)))
    console.print(summary)


@app.command()
def audit(
    wait: Annotated[float, typer.Option(help="Seconds to wait for what is on its way.")] = 30.0,
) -> None:
    """Hold the services against the streams, and name each difference."""
    from xinqiao import audit as auditing

    async def work() -> auditing.Report:
        connections = await installation().connect()
        try:
            with console.status("waiting for what is on its way"):
                await auditing.settle(connections, wait)
            with console.status("reading the streams and the databases"):
                return await auditing.audit(connections)
        finally:
            await connections.close()

    report = run(work())
    for difference in report.differences:
        console.print(f"[red]{difference.kind}[/red] {difference.what}", highlight=False)
    numbers = {
        "flags": report.flags,
        "dead": report.dead,
        "cases": report.cases,
        "lost": report.count("lost"),
        "duplicated": report.count("duplicated"),
        "stuck": report.count("stuck"),
        "wrong": report.count("wrong"),
    }
    typer.echo(json.dumps(numbers))
    raise typer.Exit(0 if report.holds else 1)


@dead_app.command(name="list")
def list_dead() -> None:
    """All dead letters, those that failed alike side by side."""
    from chassis.dead import letters

    async def work() -> list[Any]:
        bus = await installation().bus()
        try:
            return [letter async for letter in letters(bus)]
        finally:
            await bus.close()

    table = Table()
    for column in ("no.", "at", "consumer", "reason", "field", "deliveries", "alike", "event"):
        table.add_column(column)
    found = run(work())
    for letter in sorted(found, key=lambda one: (one.fingerprint, one.sequence)):
        row = (letter.sequence, _short(letter.at), letter.consumer, letter.reason, letter.field or "")
        state = "dropped" if letter.dropped else str(letter.deliveries)
        table.add_row(*(str(cell) for cell in row), state, letter.fingerprint, letter.event_id or "")
    console.print(table if found else "there are no dead letters")


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
        console.print(letter.body.decode(errors="replace"), highlight=False, markup=False)

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


@app.command()
def rebuild(
    reread: Annotated[bool, typer.Option("--reread", help="Deliver the log again too, after a restore.")] = False,
    shortened: Annotated[bool, typer.Option("--shortened", help="Accept a log that has lost its beginning.")] = False,
) -> None:
    """Make the counters again from the log; the service may run meanwhile."""
    from services.reporting.rebuild import Rebuilt
    from services.reporting.rebuild import rebuild as rebuild_counters

    async def work() -> Rebuilt:
        place = installation()
        bus, database = await place.bus(), place.database("reporting", "reporting")
        try:
            with Progress(TextColumn("{task.description}"), MofNCompleteColumn(), console=console) as bars:
                task = bars.add_task("events read", total=None)
                return await rebuild_counters(
                    bus,
                    database,
                    reread=reread,
                    shortened=shortened,
                    progress=lambda read: bars.update(task, completed=read),
                )
        finally:
            await bus.close()
            database.close()

    done = run(work())
    console.print(f"{done.read} events read, {done.counted} counted")


@app.command()
def token(
    role: Annotated[list[str], typer.Option(help="May be given more than once.")],
    subject: Annotated[str, typer.Option(help="A pseudonym of who calls.")] = "local-person",
    division: Annotated[str, typer.Option(help="What lies outside does not exist for the caller.")] = "",
    organisation: Annotated[str | None, typer.Option(help="The receiver's institution.")] = None,
    hotline: Annotated[str | None, typer.Option(help="The hotline system.")] = None,
    hours: float = 8,
) -> None:
    """A bearer token of the local issuer."""
    from chassis.auth import ROLES

    if unknown := set(role) - set(ROLES):
        console.print(f"[red]there is no role {', '.join(unknown)}; there are {', '.join(ROLES)}[/red]")
        raise typer.Exit(1)
    claims = {name: value for name, value in (("organisation", organisation), ("hotline", hotline)) if value}
    typer.echo(installation().token(subject, role, division, int(hours * 3600), **claims))


@app.command()
def hotline(name: str, county: str) -> None:
    """A credential for a further hotline of the local stack; the path of its seed is printed."""
    stack = local_stack()
    stack.add_hotline(Hotline(name, county))
    typer.echo(stack.secrets.nkey(f"hotline-{name}"))


def _short(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
