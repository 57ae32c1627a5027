"""`trust-list` commands about people and keys: member, officer, rotate-key.

Owns:    options and output of these commands. Leaves the roster's form to `workspace`, its effect to `repository`.
Rules:   nothing here needs a private key. Every change of the roster becomes a new root, which two regions sign: those of the old one too.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from securesystemslib.signer import Key  # type: ignore[attr-defined]  # its public name

from trust_lists.checkpoint import note_key
from trust_lists.cli_output import JsonOption, finish, print_table, refusals
from trust_lists.cli_prepare import HERE, RegionOption, RepoOption, change_draft
from trust_lists.errors import DraftRefused
from trust_lists.key_sources import read_text
from trust_lists.list_log import origin_of, witness_key
from trust_lists.model import LocalText
from trust_lists.publication import Draft
from trust_lists.repository import Officer, Roster
from trust_lists.signers import public_key
from trust_lists.transparency import LogKeys
from trust_lists.vocabulary import Region
from trust_lists.workspace import Workspace, with_officer, without_officer

PublicKeyOption = Annotated[Path, typer.Option("--public-key", help="Public key in PEM.")]
ROOT_NEXT = "`trust-list sign --key OFFICER.pem` by two regions: the root changes"

_member = typer.Typer(help="The regions' scheme operators.", no_args_is_help=True)
_officer = typer.Typer(help="Who may sign for a region.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Hang the commands into the application."""
    app.add_typer(_member, name="member")
    app.add_typer(_officer, name="officer")
    app.command("rotate-key")(rotate_key)


# --- members -----------------------------------------------------------------------------------------------------------


@_member.command("add")
def member_add(
    region: RegionOption,
    name: Annotated[list[str], typer.Option(help="LANG=NAME of the scheme operator, e.g. en=…; repeatable.")],
    threshold: Annotated[int, typer.Option(min=1, help="How many of its officers sign its section.")] = 1,
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Enter a region's scheme operator: its names, and how many of its officers sign its section."""
    names = tuple(_parse_name(value) for value in name)
    with refusals(as_json):
        workspace = Workspace(repo)
        roster = workspace.roster()
        if threshold > len(roster.keys_of(region)):
            raise DraftRefused(f"{region.value} has {len(roster.keys_of(region))} officers: add officers first")
        thresholds = {**roster.section_thresholds, region: threshold}
        workspace.save_roster(replace(roster, section_thresholds=thresholds), workspace.roster_pems())

    def enter(draft: Draft) -> Draft:
        return draft.with_section(replace(draft.sections[region], operator_names=names))

    change_draft(repo, as_json, enter)


def _parse_name(value: str) -> LocalText:
    lang, _, text = value.partition("=")
    if not lang or not text:
        raise typer.BadParameter("expected LANG=NAME, e.g. en=Scheme operator", param_hint="--name")
    return LocalText(lang, text)


@_member.command("list")
def member_list(repo: RepoOption = HERE, as_json: JsonOption = False) -> None:
    """Show the regions: operator, officers, threshold, witness."""
    with refusals(as_json):
        workspace = Workspace(repo)
        roster, draft = workspace.roster(), workspace.draft()
        members = [_member_json(region, roster, draft) for region in Region]
        rows = [
            (m["region"], m["operator"], ", ".join(_names(roster, Region(str(m["region"])))), m["threshold"], m["witness"] or "none")
            for m in members
        ]  # fmt: skip
        columns = ("region", "scheme operator", "officers", "how many sign", "witness key")
        finish(
            as_json,
            {"members": members},
            lambda: print_table("members", columns, rows),
            "`trust-list officer add|remove`",
        )


def _member_json(region: Region, roster: Roster, draft: Draft) -> dict[str, object]:
    key = roster.log.witnesses.get(region) if roster.log else None
    return {
        "region": region.value,
        "operator": draft.sections[region].operator_names[0].value,
        "officers": _names(roster, region),
        "threshold": roster.section_thresholds.get(region, 1),
        "witness": key.id.hex() if key else None,
    }


def _names(roster: Roster, region: Region) -> list[str]:
    return [officer.name for officer in roster.officers if officer.region is region]


# --- officers ----------------------------------------------------------------------------------------------------------


@_officer.command("add")
def officer_add(
    region: RegionOption,
    name: Annotated[str, typer.Option(help="The officer's name.")],
    public: PublicKeyOption,
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Add an officer to a region; needs signatures of two regions on a new root."""
    with refusals(as_json):
        workspace = Workspace(repo)
        pem = read_text(public)
        key = public_key(pem, region, name)
        roster = with_officer(workspace.roster(), Officer(region, name, key))
        workspace.save_roster(roster, {**workspace.roster_pems(), key.keyid: pem})
        _show_roster(roster, as_json)


@_officer.command("remove")
def officer_remove(
    region: RegionOption,
    name: Annotated[str, typer.Option(help="The officer's name.")],
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Remove an officer; needs signatures of two regions on a new root."""
    with refusals(as_json):
        workspace = Workspace(repo)
        roster = without_officer(workspace.roster(), region, name)
        workspace.save_roster(roster, workspace.roster_pems())
        _show_roster(roster, as_json)


def _show_roster(roster: Roster, as_json: bool, next_step: str = ROOT_NEXT) -> None:
    rows = [(officer.region.value, officer.name, officer.key.keyid[:16]) for officer in roster.officers]
    value = {"officers": [{"region": region, "name": name, "key": key} for region, name, key in rows]}
    finish(as_json, value, lambda: print_table("officers", ("region", "name", "key"), rows), next_step)


# --- rotation ----------------------------------------------------------------------------------------------------------


def rotate_key(
    who: Annotated[str, typer.Argument(help="REGION:NAME of an officer, `online`, `log`, or `witness:REGION`.")],
    public: PublicKeyOption,
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Replace a key by a new one: the new root is signed by old and new keys, of two regions each."""
    with refusals(as_json):
        workspace = Workspace(repo)
        pem = read_text(public)
        roster, pems = rotated(workspace.roster(), workspace.roster_pems(), who, pem)
        workspace.save_roster(roster, pems)
        next_step = ROOT_NEXT
        if who == "online":
            next_step += "; then `trust-list publish` with the new online key: this also heals a fast-forward attack"
        elif ":" in who and not who.startswith("witness:"):
            next_step = "`trust-list sign` with the old key and the new one, and by another region; then publish"
        _show_roster(roster, as_json, next_step)


def rotated(roster: Roster, pems: dict[str, str], who: str, pem: str) -> tuple[Roster, dict[str, str]]:
    """Return the roster with one key replaced, and the PEMs of its keys.

    Raises:
        DraftRefused: nobody of that name, or the key is in use.
    """
    key = public_key(pem)
    log_publics = {roster.log.log.public, *(k.public for k in roster.log.witnesses.values())} if roster.log else set()
    if key.keyid in pems or (key.keytype == "ed25519" and bytes.fromhex(key.keyval["public"]) in log_publics):
        raise DraftRefused("that key is on the roster already: make a new one with `trust-list key new`")
    pems = {**pems, key.keyid: pem}
    if who == "online":
        return replace(roster, online=key), pems
    if who == "log" or who.startswith("witness:"):
        return replace(roster, log=_with_log_key(roster.log, who, key)), pems
    region, _, name = who.partition(":")
    if region not in set(Region) or not any((o.region.value, o.name) == (region, name) for o in roster.officers):
        raise DraftRefused(f"there is no {who}: `trust-list member list` shows who there is")
    officers = tuple(
        Officer(o.region, o.name, public_key(pem, o.region, o.name))
        if (o.region.value, o.name) == (region, name)
        else o
        for o in roster.officers
    )
    return replace(roster, officers=officers), pems


def _with_log_key(log: LogKeys | None, who: str, key: Key) -> LogKeys:
    if log is None:
        raise DraftRefused("this list has no log yet: `trust-list log init`")
    if who == "log":
        return replace(log, log=note_key(origin_of(key.keyid), key))
    region = who.partition(":")[2]
    if region not in set(Region):
        raise DraftRefused("a witness is witness:hk, witness:mo or witness:gd")
    return replace(log, witnesses={**log.witnesses, Region(region): witness_key(Region(region), key)})
