"""`trust-list service`: list services, change their status, end their admission.

Owns:    options and output of these commands. Leaves the changes to `drafting`.
"""

from pathlib import Path
from typing import Annotated

import typer

from trust_lists.certificate_files import read_certificate
from trust_lists.cli_output import JsonOption
from trust_lists.cli_prepare import HERE, AtOption, RegionOption, RepoOption, change_draft, moment
from trust_lists.drafting import NewService, add_service, end_admission, set_status
from trust_lists.model import CertificateType, ServiceStatus, ServiceType, SupplyPoint
from trust_lists.publication import Draft

service = typer.Typer(help="Trust services and their status.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Hang the commands into the application."""
    app.add_typer(service, name="service")


@service.command("add")
def service_add(
    service_id: Annotated[str, typer.Argument(metavar="ID", help="Lower-case identifier, e.g. hk-rsa.")],
    *,
    region: RegionOption,
    provider: Annotated[str, typer.Option(help="Name of the provider.")],
    name: Annotated[str, typer.Option(help="Name of the service.")],
    certificate: Annotated[Path, typer.Option(help="Its certificate, PEM or DER.")],
    kind: Annotated[str, typer.Option("--type", help=", ".join(kind.word for kind in ServiceType))] = "ca-qc",
    type_name: Annotated[str | None, typer.Option(help="Name of the product that is recognised.")] = None,
    policy_oid_prefix: Annotated[str | None, typer.Option(help="Its policy OID, or the prefix of them.")] = None,
    purpose: Annotated[
        list[str] | None, typer.Option(help="A purpose that the product is admitted for; repeatable.")
    ] = None,
    supply_point: Annotated[list[str] | None, typer.Option(help="KIND=URI: ocsp, crl, ldap, ca-issuers, tsa.")] = None,
    definition_uri: Annotated[str | None, typer.Option(help="The certification practice statement.")] = None,
    at: AtOption = None,
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """List a service and put it up for admission; needs its own region and two regions together."""
    since = moment(at)
    service_type = next((known for known in ServiceType if known.word == kind), None)
    if service_type is None:
        raise typer.BadParameter("unknown type of service", param_hint="--type")
    if (type_name is None) != (policy_oid_prefix is None):
        raise typer.BadParameter("a product needs --type-name and --policy-oid-prefix", param_hint="--type-name")
    types: tuple[CertificateType, ...] = ()
    if type_name is not None and policy_oid_prefix is not None:
        types = (CertificateType(type_name, policy_oid_prefix, tuple(purpose or ()), since),)
    points = tuple(_parse_supply_point(value) for value in supply_point or ())

    def change(draft: Draft) -> Draft:
        der = read_certificate(certificate)
        new = NewService(service_id, region, provider, name, service_type, der, types, points, definition_uri)
        return add_service(draft, new, since)

    change_draft(repo, as_json, change)


def _parse_supply_point(value: str) -> SupplyPoint:
    kind, _, uri = value.partition("=")
    if not uri:
        raise typer.BadParameter("expected KIND=URI", param_hint="--supply-point")
    return SupplyPoint(kind, uri)


@service.command("set-status")
def service_set_status(
    service_id: Annotated[str, typer.Argument(metavar="ID")],
    status: Annotated[str, typer.Argument(help="granted, suspended or withdrawn.")],
    at: AtOption = None,
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Give a service a new status; its own region signs alone."""
    wanted = next((known for known in ServiceStatus if known.word == status), None)
    if wanted is None:
        raise typer.BadParameter("a status is granted, suspended or withdrawn", param_hint="STATUS")
    when = moment(at)
    change_draft(repo, as_json, lambda draft: set_status(draft, service_id, wanted, when))


@service.command("end-admission")
def service_end_admission(
    service_id: Annotated[str, typer.Argument(metavar="ID")],
    at: AtOption = None,
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """End a service's admission; two regions sign, also against the third."""
    when = moment(at)
    change_draft(repo, as_json, lambda draft: end_admission(draft, service_id, when))
