"""`trust-list agreement`: propose, enact, repeal the mutual recognition between two regions.

Owns:    options and output of these commands, and the proposal file. Leaves the changes to `drafting`.
Rules:   a proposal is a small file to send around (`proposals/ID.json`); it changes neither draft nor list. Enacting takes its terms, and
         two regions sign.
"""

from pathlib import Path
from typing import Annotated

import typer

from trust_lists.cli_output import JsonOption, finish, print_table, refusals
from trust_lists.cli_prepare import HERE, AtOption, RepoOption, change_draft, moment
from trust_lists.document import IDENTIFIER, WORD
from trust_lists.drafting import enact_agreement, repeal_agreement
from trust_lists.errors import DraftRefused
from trust_lists.publication import Draft
from trust_lists.store import write_atomically
from trust_lists.strict_json import Json, members, parse_object, sequence, text, write_object
from trust_lists.vocabulary import Region
from trust_lists.workspace import Workspace

_agreement = typer.Typer(help="Mutual recognition agreements between two regions.", no_args_is_help=True)
_FORM = frozenset({"AgreementIdentifier", "Between", "Purposes", "Name"})
_MAX_BYTES = 16 * 1024

IdArgument = Annotated[str, typer.Argument(metavar="ID")]
BetweenOption = Annotated[str | None, typer.Option(help="The two regions, e.g. hk,gd.")]
PurposeOption = Annotated[list[str] | None, typer.Option(help="A purpose that it covers; repeatable.")]
NameOption = Annotated[str, typer.Option(help="Its name.")]


def register(app: typer.Typer) -> None:
    """Hang the commands into the application."""
    app.add_typer(_agreement, name="agreement")


@_agreement.command("propose")
def agreement_propose(
    agreement_id: IdArgument,
    between: BetweenOption,
    purpose: PurposeOption,
    name: NameOption = "Mutual recognition",
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Write the terms of an agreement to a small file for the other region to read; nothing changes yet."""
    regions = _regions(between)
    with refusals(as_json):
        workspace = Workspace(repo)
        draft = workspace.draft()
        known = {entry.name for entry in draft.scheme.purposes}
        if not purpose or not set(purpose) <= known or IDENTIFIER.fullmatch(agreement_id) is None:
            raise DraftRefused(
                f"an agreement has an identifier like hk-gd, and purposes of the scheme: {', '.join(sorted(known))}"
            )
        value: Json = {"AgreementIdentifier": agreement_id, "Between": list(regions), "Purposes": purpose, "Name": name}
        path = _proposal(repo, agreement_id)
        write_atomically(path, write_object(value))
        rows = [
            ("id", agreement_id),
            ("between", "-".join(regions)),
            ("purposes", ", ".join(purpose)),
            ("file", str(path)),
        ]
        finish(
            as_json,
            {**value, "file": str(path)},
            lambda: print_table("proposed agreement", ("what", "value"), rows),
            f"send the file to the other region; when both agree: `trust-list agreement enact {agreement_id}`",
        )


@_agreement.command("enact")
def agreement_enact(
    agreement_id: IdArgument,
    between: BetweenOption = None,
    purpose: PurposeOption = None,
    name: NameOption = "Mutual recognition",
    at: AtOption = None,
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Enact an agreement, as proposed or with the terms given here, or one that was repealed; two regions sign."""
    regions = _regions(between) if between is not None else None
    when = moment(at)

    def change(draft: Draft) -> Draft:
        if regions is None or not purpose:
            pair, purposes, title = _terms(repo, agreement_id, draft)
        else:
            pair, purposes, title = regions, tuple(purpose), name
        return enact_agreement(draft, agreement_id, pair, purposes, title, when)

    change_draft(repo, as_json, change)


def _terms(repo: Path, agreement_id: str, draft: Draft) -> tuple[tuple[Region, Region], tuple[str, ...], str]:
    """Return the terms of the proposal, else those under which it stood before it was repealed."""
    path = _proposal(repo, agreement_id)
    if path.is_file():
        value = members(parse_object(path.read_bytes()[: _MAX_BYTES + 1], max_bytes=_MAX_BYTES), "proposal", _FORM)
        names = sequence(value["Between"], "Between", text, least=2, most=2)
        purposes = sequence(
            value["Purposes"], "Purposes", lambda item, where: text(item, where, pattern=WORD), least=1, most=50
        )
        return _regions(",".join(names)), purposes, text(value["Name"], "Name")
    held = next((agreement for agreement in draft.scheme.agreements if agreement.id == agreement_id), None)
    if held is None:
        raise DraftRefused(f"{agreement_id} was not proposed: name its terms with --between and --purpose")
    return held.regions, held.purposes, held.names[0].value


def _proposal(repo: Path, agreement_id: str) -> Path:
    if IDENTIFIER.fullmatch(agreement_id) is None:
        raise DraftRefused("an agreement has an identifier like hk-gd")
    return repo / "proposals" / f"{agreement_id}.json"


def _regions(between: str | None) -> tuple[Region, Region]:
    names = (between or "").split(",")
    if len(names) != 2 or not set(names) <= set(Region):
        raise typer.BadParameter("expected two regions, e.g. hk,gd", param_hint="--between")
    return (Region(names[0]), Region(names[1]))


@_agreement.command("repeal")
def agreement_repeal(
    agreement_id: IdArgument,
    at: AtOption = None,
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Repeal an agreement; two regions sign."""
    when = moment(at)
    change_draft(repo, as_json, lambda draft: repeal_agreement(draft, agreement_id, when))
