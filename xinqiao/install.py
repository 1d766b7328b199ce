"""The two one-shots of an installation in containers: credentials, each to the one container that needs it, and
provisioning: the replica set with its users, the streams and their consumers. Both can be run again at any time.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from chassis.bus import Bus
from chassis.provision import provision as provision_bus
from contracts.topology import SERVICES
from xinqiao import secrets as credentials
from xinqiao.secrets import BUS_USERS, DATABASE_USERS, Hotline, Secrets

SERVICE_USER = 10001
NATS_USER = 10002
MONGO_USER = 999
"""The user `mongodb` of MongoDB's public image."""

NATS_CONFIGURATION = "nats-server.conf"


@dataclass(frozen=True)
class Share:
    """What one container gets of the credentials: files by their place below the folder, readable by `owner` alone."""

    name: str
    owner: int
    files: tuple[Path, ...]


def shares(vault: Secrets) -> list[Share]:
    """Who gets what. A container that is broken into gives away no more than its own share."""
    given = [Share(service, SERVICE_USER, _of_service(vault, service)) for service in SERVICES]
    given.append(
        Share(
            "provision",
            SERVICE_USER,
            (vault.nkey("provisioner"), *(vault.mongo_password(user) for user in DATABASE_USERS)),
        )
    )
    hotlines = tuple(vault.nkey(f"hotline-{hotline.name}") for hotline in vault.hotlines())
    listed = (vault.hotlines_file,) if hotlines else ()
    # Public halves, by which the broker's log names who was denied something.
    public = tuple(vault.nkey(user).with_suffix(".pub") for user in BUS_USERS)
    given.append(
        Share(
            "operator",
            SERVICE_USER,
            (
                vault.nkey("operator"),
                vault.mongo_uri("auditor"),
                vault.mongo_uri("reporting"),  # to make the counters again; there is nobody's name in them
                vault.token_private,
                vault.token_public,
                vault.sealing_public,
                *public,
                *listed,
                *hotlines,
            ),
        )
    )
    given.append(Share("mongo", MONGO_USER, (vault.mongo_keyfile, vault.mongo_password("root"))))
    given.append(Share("nats", NATS_USER, (vault.root / NATS_CONFIGURATION,)))
    return given


def _of_service(vault: Secrets, service: str) -> tuple[Path, ...]:
    own = (vault.nkey(service), vault.mongo_uri(service), vault.master_key(service), vault.token_public)
    return (*own, vault.sealing_private) if service == "crisis" else own


def parse_hotline(text: str) -> Hotline:
    """``name=county``, for example ``12356-yanzhou=370812``. Raises `ValueError`."""
    match = re.fullmatch(r"([a-z0-9][a-z0-9-]{0,62})=([0-9]{6})", text.strip())
    if match is None:
        raise ValueError(f"a hotline is given as name=county, for example 12356-yanzhou=370812, and not as {text!r}")
    return Hotline(match[1], match[2])


def install(
    vault: Path, volumes: Path, hotlines: Sequence[Hotline] = (), mongo_address: str = "mongo:27017"
) -> list[str]:
    """Make what is missing in the vault and hand out the shares; what was done, in words.

    `vault` keeps every credential. `volumes` has a folder for each share (`secrets-crisis`, …) and one for the data of
    each server (`data-nats`, `data-mongo`), which is given to the user that it runs as. Owners are set when run as
    root.
    """
    kept = Secrets(vault)
    vault.chmod(0o700)
    credentials.create(kept, mongo_address)
    for hotline in hotlines:
        credentials.add_hotline(kept, hotline.name, hotline.county)
    configuration = credentials.nats_configuration(
        kept,
        host="0.0.0.0",  # noqa: S104  # its container's network decides who comes here
        port=4222,
        monitor_port=8222,
        store="/data/jetstream",
    )
    _replace(vault / NATS_CONFIGURATION, configuration.encode(), None)
    done = []
    for share in shares(kept):
        folder = volumes / f"secrets-{share.name}"
        changed = _hand_out(kept, share, folder)
        done += [f"{share.name}: {place}" for place in changed]
    for name, owner in (("data-nats", NATS_USER), ("data-mongo", MONGO_USER)):
        _give(volumes / name, owner, 0o700)
    return done


def _hand_out(vault: Secrets, share: Share, folder: Path) -> list[str]:
    """The places whose content changed. What is no longer part of the share is taken away."""
    wanted = {path.relative_to(vault.root): path.read_bytes() for path in share.files}
    present = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    changed = []
    for place in sorted(present - wanted.keys()):
        (folder / place).unlink()
        changed.append(f"{place} removed")
    for inner in {folder / parent for place in wanted for parent in place.parents} - {folder}:
        inner.mkdir(parents=True, exist_ok=True)
        _give(inner, share.owner, 0o700)
    for place, content in sorted(wanted.items()):
        if place not in present or (folder / place).read_bytes() != content:
            changed.append(str(place))
            _replace(folder / place, content, share.owner)
        else:
            _give(folder / place, share.owner, 0o400)
    _give(folder, share.owner, 0o700)
    return changed


def _replace(path: Path, content: bytes, owner: int | None) -> None:
    """Whole or not at all: whoever reads it sees the old content or the new."""
    partial = path.with_name(f".{path.name}.new")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if owner is not None:
        _give(partial, owner, 0o400)
    partial.replace(path)


def _give(path: Path, owner: int, mode: int) -> None:
    path.chmod(mode)
    if os.geteuid() == 0:
        os.chown(path, owner, owner)


async def provision(secrets: Secrets, nats_url: str, mongo_member: str, seconds: float = 180.0) -> list[str]:
    """The replica set and its users, then the streams and consumers; what was done on the broker, in words.

    Waits up to `seconds` for each server. Raises `StackError` when one does not come up, and `nats.errors.Error` when
    the broker does not take the provisioner's credential.
    """
    from xinqiao.local import StackError, initiate

    password = secrets.mongo_password("root").read_text()
    address = f"mongodb://root:{password}@{mongo_member}/?authSource=admin&directConnection=true"
    deadline = time.monotonic() + seconds
    while True:
        try:
            await asyncio.to_thread(initiate, address, mongo_member, secrets)
            break
        except StackError:
            if time.monotonic() > deadline:
                raise
    bus = Bus(nats_url, "provisioner", secrets.nkey("provisioner"))
    try:
        await asyncio.wait_for(bus.connect(), seconds)
    except TimeoutError:
        raise StackError(f"the broker at {nats_url} did not come up in {seconds:.0f} s") from None
    try:
        return await provision_bus(bus)
    finally:
        await bus.close()


def install_command(
    hotline: Annotated[
        list[str] | None, typer.Argument(help="Hotlines that may publish: name=county, 12356-yanzhou=370812")
    ] = None,
    vault: Annotated[Path, typer.Option(help="Keeps every credential.")] = Path("/vault"),
    volumes: Annotated[Path, typer.Option(help="Has a folder for each container's share.")] = Path("/volumes"),
) -> None:
    """Make the credentials of an installation in containers, and give each container its own."""
    named = [*(hotline or ()), *os.environ.get("XINQIAO_HOTLINES", "").split()]
    try:
        hotlines = [parse_hotline(text) for text in named]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    _say(install(vault, volumes, hotlines), "the credentials are as they should be")


def provision_command(
    secrets: Annotated[Path, typer.Option(help="The folder of credentials.")] = Path("/secrets"),
    nats_url: Annotated[str, typer.Option(envvar="XINQIAO_NATS_URL")] = "nats://nats:4222",
    mongo: Annotated[str, typer.Option(help="Host and port of the one member.")] = "mongo:27017",
) -> None:
    """Make the replica set, its users, the streams and the consumers of an installation in containers."""
    logging.basicConfig(level=logging.ERROR)
    _say(asyncio.run(provision(Secrets(secrets), nats_url, mongo)), "the broker is as the topology has it")


def _say(done: list[str], otherwise: str) -> None:
    for line in done or [otherwise]:
        print(line)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command("credentials")(install_command)
    app.command("provision")(provision_command)
    app()
