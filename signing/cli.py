"""The commands `sign`, `extend` and `validate`.

Owns:    their options, what they print, their exit codes. Leaves the work to the same modules as the service.
Rules:   exit 0 done, 1 refused, 2 usage, 3 unavailable; passwords come from GBA_TRUST_KEY_PASSWORD or a prompt;
         whatever the bytes, a verdict is printed.
"""

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from signing.cli_output import print_report, refusals
from signing.errors import RequestRefused
from signing.model import Indication, IntegrityVerdict, SignatureLevel
from signing.policy import POLICIES

app = typer.Typer(
    help="Sign and judge PDFs.", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
)
MAX_BYTES = 50_000_000

TrustListOption = Annotated[
    str | None, typer.Option("--trust-list", help="Directory or URL of a published trust list.")
]
RootOption = Annotated[
    Path | None, typer.Option("--trust-list-root", help="Pinned first root metadata of the list; needed with a URL.")
]
RootsOption = Annotated[
    list[Path] | None, typer.Option("--trusted-roots", help="PEM or DER file with roots; may be repeated.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object per file and line.")]
OfflineOption = Annotated[bool, typer.Option("--offline", help="Fetch nothing; say what is missing.")]
TsaOption = Annotated[str | None, typer.Option("--tsa", help="URL of the time-stamping authority.")]


@app.command()
def sign(  # noqa: PLR0917 - one parameter per option of the command
    document: Annotated[Path, typer.Argument(metavar="IN")],
    output: Annotated[Path, typer.Argument(metavar="OUT")],
    key: Annotated[str, typer.Option("--key", help="PKCS #12 file (pkcs11: URIs are not supported yet).")],
    level: Annotated[SignatureLevel, typer.Option("--level")] = SignatureLevel.B_T,
    tsa: TsaOption = None,
    engine: Annotated[str, typer.Option("--engine", help="auto, pyhanko or endesive.")] = "auto",
    visible: Annotated[str | None, typer.Option("--visible", help="PAGE:X1,Y1,X2,Y2 in points, pages from 1.")] = None,
    reason: Annotated[str | None, typer.Option("--reason")] = None,
    location: Annotated[str | None, typer.Option("--location")] = None,
    field: Annotated[str | None, typer.Option("--field", help="Name of the signature field.")] = None,
    pss: Annotated[bool, typer.Option("--pss", help="RSA-PSS instead of PKCS #1 v1.5.")] = False,
    trust_list: TrustListOption = None,
    trust_list_root: RootOption = None,
    trusted_roots: RootsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a PDF with a local key; the result is validated by our own judge before it is written.

    Example: gba-trust sign form.pdf signed.pdf --key me.p12 --tsa https://tsa.example/
    """
    from signing import cli_work  # noqa: PLC0415 - slow import

    if key.startswith("pkcs11:"):
        raise typer.BadParameter("pkcs11: keys are not supported yet; give a PKCS #12 file", param_hint="--key")
    if level is not SignatureLevel.B_B and tsa is None:
        raise typer.BadParameter(f"level {level.value} needs --tsa", param_hint="--tsa")
    with refusals(as_json):
        wish = cli_work.Wish(level, reason, location, field, _box(visible), pss, engine)
        password = os.environ.get("GBA_TRUST_KEY_PASSWORD")
        if password is None:
            password = typer.prompt("Password of the key file", hide_input=True, default="", show_default=False)
        trust = cli_work.Trust(trust_list, trust_list_root, tuple(trusted_roots or ()))
        made = asyncio.run(cli_work.sign_file(_read(document), Path(key), password, wish, tsa, trust))
        cli_work.write_atomically(output, made)
        _say_done(as_json, output, level)


@app.command()
def extend(
    document: Annotated[Path, typer.Argument(metavar="IN")],
    output: Annotated[Path, typer.Argument(metavar="OUT")],
    level: Annotated[SignatureLevel, typer.Option("--level", help="B-T, B-LT or B-LTA.")],
    tsa: TsaOption = None,
    trust_list: TrustListOption = None,
    trust_list_root: RootOption = None,
    trusted_roots: RootsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Raise the level of the signatures in a PDF. A time stamp added now proves that they exist now, and no earlier.

    Example: gba-trust extend signed.pdf archived.pdf --level B-LTA --tsa URL --trust-list URL
    """
    from signing import cli_work  # noqa: PLC0415 - slow import

    if tsa is None:
        raise typer.BadParameter("time stamps need --tsa", param_hint="--tsa")
    with refusals(as_json):
        trust = cli_work.Trust(trust_list, trust_list_root, tuple(trusted_roots or ()))
        made = asyncio.run(cli_work.extend_file(_read(document), level, tsa, trust))
        cli_work.write_atomically(output, made)
        _say_done(as_json, output, level)


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")],
    trust_list: TrustListOption = None,
    trust_list_root: RootOption = None,
    trusted_roots: RootsOption = None,
    integrity_only: Annotated[bool, typer.Option("--integrity-only", help="Judge without any trust anchor.")] = False,
    at: Annotated[str | None, typer.Option("--at", help="Validation time, ISO 8601; now by default.")] = None,
    purpose: Annotated[str | None, typer.Option("--purpose", help="Show and ask for this purpose only.")] = None,
    policy: Annotated[str, typer.Option("--policy", help="default or strict.")] = "default",
    offline: OfflineOption = False,
    as_json: JsonOption = False,
) -> None:
    """Judge signed PDFs. Exit 0 when every file passes (with --integrity-only: is intact).

    Example: gba-trust validate signed.pdf --trust-list ./list
    """
    from signing import cli_work  # noqa: PLC0415 - slow import

    if integrity_only and (trust_list or trusted_roots):
        raise typer.BadParameter("--integrity-only uses no trust list and no roots")
    if trust_list and trusted_roots:
        raise typer.BadParameter("give either --trust-list or --trusted-roots")
    if policy not in POLICIES:
        raise typer.BadParameter("there is no such policy", param_hint="--policy")
    with refusals(as_json):
        trust = cli_work.Trust(trust_list, trust_list_root, tuple(trusted_roots or ()))
        question = cli_work.Question(_moment(at), POLICIES[policy], purpose, offline or integrity_only)
        failed = False
        for path, report in cli_work.validate_files(files, trust, question, MAX_BYTES):
            print_report(path, report, as_json=as_json)
            intact = report["integrity_verdict"] == IntegrityVerdict.OK.value
            passed = report["indication"] == Indication.TOTAL_PASSED.value and cli_work.serves(report, purpose)
            failed = failed or not (intact if integrity_only else passed)
    if failed:
        raise typer.Exit(1)


def _say_done(as_json: bool, output: Path, level: SignatureLevel) -> None:
    if as_json:
        typer.echo(json.dumps({"file": str(output), "level": level.value}))
    else:
        typer.echo(f"{output}: signed at level {level.value}, and accepted by our own validation")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise RequestRefused(f"{path} cannot be read") from error
    if len(content) > MAX_BYTES:
        raise RequestRefused(f"{path} is too large")
    return content


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter("not an ISO 8601 time", param_hint="--at") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _box(text: str | None) -> tuple[int, int, int, int, int] | None:
    if text is None:
        return None
    try:
        page, rectangle = text.split(":")
        x1, y1, x2, y2 = (int(part) for part in rectangle.split(","))
        number = int(page)
    except ValueError as error:
        raise typer.BadParameter("expected PAGE:X1,Y1,X2,Y2", param_hint="--visible") from error
    if number < 1 or x2 <= x1 or y2 <= y1:
        raise typer.BadParameter("the rectangle is empty or the page is not a page", param_hint="--visible")
    return number - 1, x1, y1, x2, y2
