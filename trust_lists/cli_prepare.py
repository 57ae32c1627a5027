"""`trust-list` commands that change the draft: init, key, ca.

Owns:    options and output of these commands. Leaves the changes to `drafting`, files to `workspace`,
         services to `cli_service`, people and keys to `cli_members`, agreements to `cli_agreement`.
Rules:   nothing here needs a private key or publishes anything; every change ends with the diff that officers will sign.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from trust_lists.checkpoint import NoteKey, note_key
from trust_lists.cli_output import JsonOption, finish, print_table, refusals
from trust_lists.clock import utc_now
from trust_lists.diff import Change, diff
from trust_lists.drafting import add_provider
from trust_lists.errors import DraftRefused, ListMalformed
from trust_lists.founding import founding_draft
from trust_lists.list_log import origin_of, witness_key
from trust_lists.publication import Draft, draft_of
from trust_lists.repository import Officer, Roster
from trust_lists.signers import generate_key, public_key, public_pem, write_private_key
from trust_lists.transparency import LogKeys
from trust_lists.vocabulary import Region
from trust_lists.workspace import Workspace

RepoOption = Annotated[Path, typer.Option("--repo", help="The workspace directory.")]
AtOption = Annotated[
    str | None, typer.Option("--at", help="When it takes effect, ISO 8601 with time zone; now by default.")
]
RegionOption = Annotated[Region, typer.Option(help="hk, mo or gd.")]
HERE = Path()


def moment(at: str | None) -> datetime:
    """Return the instant that an option names, the present without one.

    Raises:
        BadParameter: not an instant with a time zone.
    """
    if at is None:
        return utc_now()
    try:
        parsed = datetime.fromisoformat(at)
    except ValueError as error:
        raise typer.BadParameter("not an ISO 8601 time", param_hint="--at") from error
    if parsed.tzinfo is None:
        raise typer.BadParameter("the time needs a time zone, for example a Z at its end", param_hint="--at")
    return parsed.astimezone(UTC)


def register(app: typer.Typer) -> None:
    """Hang the commands into the application."""
    for name, group in (
        ("ca", _ca),
        ("key", _key),
    ):
        app.add_typer(group, name=name)
    app.command("init")(init)


_ca = typer.Typer(help="Providers of trust services.", no_args_is_help=True)
_key = typer.Typer(help="Key files.", no_args_is_help=True)


def init(
    officer: Annotated[list[str], typer.Option(help="REGION:NAME=PUBLIC.pem, once for every officer.")],
    online: Annotated[
        Path, typer.Option(help="Public key (PEM) of the online role that signs snapshot and timestamp.")
    ],
    witness: Annotated[
        list[str] | None,
        typer.Option(help="REGION=PUBLIC.pem: the key by which a region witnesses the log; two regions at least."),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="Public key (Ed25519) of the log; the online key by default.")
    ] = None,
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Begin a list: who may sign, who keeps and who witnesses its log, an empty scheme, three empty sections."""
    with refusals(as_json):
        workspace = Workspace(repo)
        if workspace.exists():
            raise DraftRefused("there is a list here already")
        pems: dict[str, str] = {}
        officers = tuple(_parse_officer(value, pems) for value in officer)
        if {entry.region for entry in officers} != set(Region):
            raise DraftRefused("every region needs at least one officer")
        online_pem = _read_text(online)
        roster = Roster(officers, public_key(online_pem), log=read_log_keys(log or online, witness or ()))
        pems[roster.online.keyid] = online_pem
        workspace.save_roster(roster, pems)
        workspace.save_draft(founding_draft(utc_now()))
        rows = [(entry.region.value, entry.name, entry.key.keyid[:16]) for entry in officers]
        finish(
            as_json,
            {"repo": str(repo), "officers": [{"region": r, "name": n, "key": k} for r, n, k in rows]},
            lambda: print_table("officers", ("region", "name", "key"), rows),
            "add providers (`ca add`) and services (`service add`), then `lint` and `sign`",
        )


def read_log_keys(log: Path, witnesses: Sequence[str]) -> LogKeys:
    """Return the keys of a log and its witnesses from their public key files.

    Raises:
        BadParameter: a witness is not REGION=PUBLIC.pem.
        DraftRefused: fewer than two regions witness, or one key stands for two.
    """
    keys: dict[Region, NoteKey] = {}
    for value in witnesses:
        name, _, path = value.partition("=")
        if name not in set(Region) or not path:
            raise typer.BadParameter("expected REGION=PUBLIC.pem", param_hint="--witness")
        keys[Region(name)] = witness_key(Region(name), public_key(_read_text(Path(path))))
    log_key = public_key(_read_text(log))
    try:
        return LogKeys(note_key(origin_of(log_key.keyid), log_key), keys)
    except ListMalformed as error:
        raise DraftRefused(
            "name a witness of two regions at least (--witness hk=PUBLIC.pem), each with a key of its own"
        ) from error


def _parse_officer(value: str, pems: dict[str, str]) -> Officer:
    label, _, path = value.partition("=")
    region, _, name = label.partition(":")
    if region not in set(Region) or not name or not path:
        raise typer.BadParameter("expected REGION:NAME=PUBLIC.pem", param_hint="--officer")
    pem = _read_text(Path(path))
    key = public_key(pem, Region(region), name)
    pems[key.keyid] = pem
    return Officer(Region(region), name, key)


def _read_text(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise DraftRefused(f"{path.name} cannot be read") from error


def change_draft(repo: Path, as_json: bool, change: Callable[[Draft], Draft]) -> None:
    """Apply a change to the draft, save it, and print the whole diff against what is published."""
    with refusals(as_json):
        workspace = Workspace(repo)
        workspace.roster()
        draft = change(workspace.draft())
        workspace.save_draft(draft)
        published = workspace.published(utc_now())
        changes = diff(draft_of(published.snapshot) if published else None, draft)
        finish(
            as_json, changes_json(changes), lambda: print_changes(changes), "`trust-list lint`, then `trust-list sign`"
        )


def changes_json(changes: tuple[Change, ...]) -> dict[str, object]:
    """Return changes as JSON."""
    return {"changes": [{"part": c.part, "subject": c.subject, "text": c.text} for c in changes]}


def print_changes(changes: tuple[Change, ...]) -> None:
    """Print changes as a table."""
    rows = [(change.part, change.subject, change.text) for change in changes]
    print_table("the draft changes", ("signed by", "subject", "change"), rows)


@_ca.command("add")
def ca_add(
    region: RegionOption,
    name: Annotated[str, typer.Option(help="Name of the provider.")],
    information_uri: Annotated[str, typer.Option(help="Where people read about it.")],
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Add a provider; it is published with its first service."""
    change_draft(repo, as_json, lambda draft: add_provider(draft, region, name, information_uri))


@_key.command("new")
def key_new(
    path: Annotated[
        Path, typer.Argument(help="Private key file to make; the public key goes beside it as PATH.pub.pem.")
    ],
    kind: Annotated[str, typer.Option(help="ed25519 or p256.")] = "ed25519",
    as_json: JsonOption = False,
) -> None:
    """Make a key, encrypted with the password of GBA_TRUST_KEY_PASSWORD or a prompt."""
    from trust_lists.key_password import new_password  # noqa: PLC0415 - reads the environment only when a key is made

    with refusals(as_json):
        signer = generate_key(kind)
        write_private_key(path, signer, new_password())
        public = path.with_name(path.name + ".pub.pem")
        public.write_text(public_pem(signer), "ascii")
        value = {"private": str(path), "public": str(public), "key": signer.public_key.keyid}
        rows = list(value.items())
        finish(
            as_json,
            value,
            lambda: print_table("key", ("what", "value"), rows),
            "hand the public key to `init` or `officer add`",
        )
