"""`trust-list explain CERT|PDF`: the recognition rule walked aloud.

Owns:    options and output. Leaves the rule to `recognition`, its words to `explanation`, PDFs to `pdf_certificates`.
Rules:   exit 1 when the certificate is recognised for nothing that was asked. A PDF is asked about its signers alone: that says nothing of
         the document, and the output says so.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from trust_lists.certificate_files import certificate_in, read_certificate
from trust_lists.certificates import parse_certificate
from trust_lists.cli_output import JsonOption, err, finish, out, print_table, refusals
from trust_lists.cli_prepare import HERE, AtOption, RepoOption, moment
from trust_lists.cli_read import RootOption, accept_from, pinned_root
from trust_lists.clock import utc_now
from trust_lists.errors import ListStorageFailed
from trust_lists.explanation import Step, describe, walk
from trust_lists.kept_snapshots import load_snapshot
from trust_lists.pdf_certificates import MAX_PDF_BYTES, is_pdf, signers_of
from trust_lists.recognition import Effect, StandingRow, find_issuer, standing
from trust_lists.snapshot import Snapshot


def register(app: typer.Typer) -> None:
    """Hang the command into the application."""
    app.command("explain")(explain)


def explain(
    subject: Annotated[Path, typer.Argument(metavar="CERT|PDF", help="A certificate (PEM or DER), or a signed PDF.")],
    *,
    issuer: Annotated[
        Path | None, typer.Option(help="Its issuer's certificate; looked up in the list by default.")
    ] = None,
    at: AtOption = None,
    purpose: Annotated[str | None, typer.Option(help="Only this purpose.")] = None,
    source: Annotated[str | None, typer.Option("--trust-list", help="URL or directory of the list.")] = None,
    kept: Annotated[Path | None, typer.Option("--snapshot", help="Judge by a version kept with `trust-list snapshot --out`.")] = None,
    root: RootOption = None,
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Walk the rule aloud: for which region and purpose a certificate is recognised, why, and what would have to change."""
    when = moment(at)
    with refusals(as_json):
        if kept is None:
            snapshot = accept_from(source, root, repo)
        else:
            snapshot = load_snapshot(kept, pinned_root(root, repo) if root else None, utc_now())
        certificate, document = _subject(subject)
        named = read_certificate(issuer) if issuer is not None else find_issuer(snapshot, certificate) or certificate
        rows = standing(snapshot, certificate, named, when)
        rows = tuple(row for row in rows if purpose in (None, row.purpose))
        steps = [step for step in walk(snapshot, certificate, named, when) if purpose in (None, step.purpose)]
        facts = describe(parse_certificate(certificate), rows[0].service if rows else None)
        value = {
            "snapshot": {"version": snapshot.version, "sha256": snapshot.sha256, "kept": kept is not None},
            "at": when.isoformat(),
            "document": document,
            "certificate": facts,
            "standing": [row.to_json() for row in rows],
            "steps": [step.to_json() for step in steps],
        }
        good = any(row.effect is Effect.RECOGNISED for row in rows)
        finish(as_json, value, lambda: _speak(snapshot, facts, rows, steps, when), _next_step(document, good, subject))
        if not good:
            raise typer.Exit(1)


def _next_step(document: str | None, good: bool, subject: Path) -> str:
    if document is not None:
        return f"this was about the signer alone: `gba-trust validate {subject}` judges the document"
    return (
        "nothing: it is recognised where a row says so" if good else "what would have to change stands above, by step"
    )


def _subject(path: Path) -> tuple[bytes, str | None]:
    """Return the certificate to explain, and the document's name where it comes out of one."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PDF_BYTES + 1)
    except OSError as error:
        raise ListStorageFailed("the certificate file cannot be read") from error
    if is_pdf(data):
        signers = signers_of(data)
        if len(signers) > 1:
            err.print(f"the PDF has {len(signers)} signatures; this is about the last one", markup=False)
        return signers[0].certificate, path.name
    return certificate_in(data), None


def _speak(
    snapshot: Snapshot, facts: dict[str, object], rows: tuple[StandingRow, ...], steps: list[Step], when: datetime
) -> None:
    out.print(
        f"Trust list {snapshot.version} ({snapshot.sha256[:16]}…), asked for {when:%Y-%m-%d %H:%M:%S} UTC.",
        markup=False,
    )
    out.print(f"The certificate of {facts['subject']}.", markup=False)
    policies = facts["policies"]
    carried = ", ".join(policies) if isinstance(policies, list) and policies else "none"
    out.print(
        f"Its policies: {carried}. Its issuer on the list: {facts['issuer_service'] or 'nobody'}.\n", markup=False
    )
    common = _common(steps)
    for number, step in enumerate(common, 1):
        out.print(f"{number}. {step.question} {'Yes.' if step.holds else 'NO.'}", markup=False)
        if not step.holds:
            out.print(f"   {step.finding}\n   → {step.change}", markup=False)
    out.print("")
    cells = [
        (row.region.value, row.purpose, row.effect.value, row.reason, _changes(steps, common, row.purpose))
        for row in rows
    ]
    print_table("for each purpose", ("region", "purpose", "effect", "reason", "what would have to change"), cells)


def _common(steps: list[Step]) -> list[Step]:
    """Return the steps whose answer is the same for every purpose that was asked, in the rule's order."""
    purposes = {step.purpose for step in steps}
    answers: dict[str, list[Step]] = {}
    for step in steps:
        answers.setdefault(step.check, []).append(step)
    return [
        same[0]
        for same in answers.values()
        if len(same) == len(purposes) and len({(step.holds, step.finding, step.change) for step in same}) == 1
    ]


def _changes(steps: list[Step], common: list[Step], purpose: str) -> str:
    spoken = {step.check for step in common}
    own = [step.change for step in steps if step.purpose == purpose and step.change and step.check not in spoken]
    shared = any(not step.holds for step in common)
    return " ".join([*(["As above."] if shared else []), *own])
