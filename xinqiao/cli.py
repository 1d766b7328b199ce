"""The command ``xinqiao``."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from contracts.topology import SERVICES
from xinqiao.dead_letters import dead_app
from xinqiao.installation import from_environment
from xinqiao.secrets import Hotline, Secrets
from xinqiao.shell import console, installation, local_home, local_stack, refuse, run

if TYPE_CHECKING:
    from xinqiao.simulate.publish import Summary

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(dead_app, name="dead")

HOTLINES = [Hotline("12356-yanzhou", "370812"), Hotline("12356-haizhou", "320706"), Hotline("12355-haizhou", "320706")]
"""The hotlines of the local stack."""


class Importable(StrEnum):
    divisions = "divisions"
    organisations = "organisations"
    volunteers = "volunteers"
    talent = "talent"


class Exportable(StrEnum):
    volunteers = "volunteers"
    talent = "talent"


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

    if service not in SERVICES:
        refuse(f"there is no service {service}; there are {', '.join(SERVICES)}")
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
    division: Annotated[str, typer.Option(help="Of the unit that hands the people in.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, and change nothing.")] = False,
) -> None:
    """Take divisions (.csv, .csv.xz), organisations (.csv), volunteers (附件1) or talent (附件4; .xlsx, .xls, .csv)."""
    from services.registry import imports
    from services.registry.domain.mistakes import Mistaken
    from services.registry.forms import ANNEX_1, ANNEX_4
    from services.registry.keys import Keys

    if what in (Importable.volunteers, Importable.talent) and not division:
        refuse(f"{what} need --division: of which unit they are handed in, for example --division 370812")
    place = installation()

    async def work() -> Any:
        database = place.database("registry", "registry")
        try:
            if what is Importable.organisations:
                return await imports.import_organisations(database, file)
            with Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=console,
                disable=not console.is_terminal,  # what is read by a program is the report alone
            ) as bars:
                task = bars.add_task(what.value, total=None)

                def progress(done: int, total: int) -> None:
                    bars.update(task, completed=done, total=total)

                if what is Importable.divisions:
                    return await imports.load_divisions(database, file, progress=progress)
                keys = Keys.read(place.secrets.master_key("registry"))
                layout = ANNEX_4 if what is Importable.talent else ANNEX_1
                return await imports.import_volunteers(
                    database, keys, file, division, dry_run, layout=layout, progress=progress
                )
        finally:
            database.close()

    try:
        report = run(work())
    except Mistaken as error:
        for mistake in error.mistakes:
            typer.echo(str(mistake))
        if error.more:
            typer.echo(f"and {error.more} more, which are not shown")
        console.print(f"[red]{len(error.mistakes) + error.more} mistake(s); nothing was taken[/red]")
        raise typer.Exit(1) from error
    console.print_json(data=report.as_json())


@app.command()
def export(
    division: str,
    file: Path,
    what: Annotated[Exportable, typer.Option(help="Volunteers (附件1) or talent (附件4).")] = Exportable.volunteers,
    reason: Annotated[str, typer.Option(help="Why, for the audit log.")] = "export",
) -> None:
    """Write a division's people in the layout of their official form (.xlsx); the reading is logged."""
    from services.registry import imports
    from services.registry.forms import ANNEX_1, ANNEX_4
    from services.registry.keys import Keys

    place = installation()

    async def work() -> bytes:
        database = place.database("registry", "registry")
        try:
            keys = Keys.read(place.secrets.master_key("registry"))
            layout = ANNEX_4 if what is Exportable.talent else ANNEX_1
            return await imports.export_volunteers(database, keys, division, layout=layout, reason=reason)
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
    console.print(_told(summary))


def _told(summary: Summary) -> Table:
    table = Table(title=f"{summary.lines} lines sent in {summary.seconds:.1f} s")
    table.add_column("what became of them on the way in", overflow="fold")
    table.add_column("lines", justify="right")
    table.add_row("NATS: kept", str(summary.kept))
    table.add_row("NATS: duplicate, taken once", str(summary.duplicates))
    table.add_row("NATS: denied by the broker", str(summary.denied))
    for status, lines in sorted(summary.http.items()):
        table.add_row(f"HTTP {status}", str(lines))
    for reason, lines in sorted(summary.refused.items()):
        table.add_row(f"of those refused: {reason}", str(lines))
    table.add_row("no answer", str(len(summary.silent)))
    return table


@app.command()
def audit(
    wait: Annotated[float, typer.Option(help="Seconds to wait for what is on its way.")] = 30.0,
) -> None:
    """Hold the services against the streams, and name each difference."""
    from xinqiao import audit as auditing

    async def work() -> auditing.Report:
        place = installation()
        connections = await place.connect()
        try:
            with console.status("waiting for what is on its way"):
                await auditing.settle(connections, wait)
            with console.status("reading the streams and the databases"):
                return await auditing.audit(connections, place.policy_dir)
        finally:
            await connections.close()

    report = run(work())
    for difference in report.differences:
        console.print(f"[red]{difference.kind}[/red]", escape(difference.what), highlight=False, soft_wrap=True)
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
    grid: Annotated[
        str | None, typer.Option(help="A grid worker's grid: the village's 12 digits and three more.")
    ] = None,
    hours: float = 8,
) -> None:
    """A bearer token of the local issuer."""
    from chassis.auth import ROLES

    if unknown := set(role) - set(ROLES):
        console.print(f"[red]there is no role {', '.join(unknown)}; there are {', '.join(ROLES)}[/red]")
        raise typer.Exit(1)
    told = (("organisation", organisation), ("hotline", hotline), ("grid", grid))
    claims = {name: value for name, value in told if value}
    typer.echo(installation().token(subject, role, division, int(hours * 3600), **claims))


@app.command()
def hotline(name: str, county: str) -> None:
    """A credential for a further hotline of the local stack; the path of its seed is printed."""
    try:
        wanted = Hotline(name, county)
    except ValueError as error:
        refuse(str(error))
    stack = local_stack()
    if not stack.secrets.nkey("operator").exists():
        refuse(f"there is no local stack in {stack.home} yet; `make up` starts it")
    stack.add_hotline(wanted)
    typer.echo(stack.secrets.nkey(f"hotline-{name}"))


@app.command()
def denied(
    log: Annotated[
        str, typer.Option(help="A log of nats-server, `-` for standard input; the local stack's without.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """What the broker denied to whom, from its log: a hotline's mistake or misuse, a service older than its rights."""
    from xinqiao import denied as denials

    place = from_environment()
    known = denials.names(place.secrets if place else Secrets(local_home() / "secrets"))
    if log == "-":
        found = denials.count(sys.stdin, known)
    else:
        path = Path(log) if log else local_home() / "log" / "nats-server.log"
        if not path.is_file():
            refuse(f"there is no log {path}; name one with --log, or give it to --log -")
        with path.open(encoding="utf-8", errors="replace") as lines:
            found = denials.count(lines, known)
    if as_json:
        for entry in found:
            typer.echo(json.dumps(vars(entry)))
        return
    table = Table()
    for column in ("user", "operation", "subject", "times", "first", "last"):
        table.add_column(column, overflow="fold")
    for entry in found:
        table.add_row(*(escape(str(cell)) for cell in vars(entry).values()))
    console.print(table if found else "the broker denied nothing")
