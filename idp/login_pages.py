"""What the pages of a login say: the values that the templates show.

Owns:    the rows of the choice, the table of the consent, the words for every refusal. Leaves layout and translation to the templates.
Rules:   1 each upstream is named in its own words; one that is not connected here is shown as such, not left out
         2 a page names the portal that asks, its region, and its purpose
         3 an error page says what happened, what to do now, and a reference; every text here is a msgid of the catalogues
Spec:    WCAG 2.2 (lang of parts); GOV.UK One Login as the model (see the design's pages sheet)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from idp.consent import RequestedItem
from idp.protocol import ReleasedItem
from idp.relying_parties import RelyingParty
from idp.upstream import Connector
from trust_lists.vocabulary import Region

REGION_NAMES: Final = {Region.HK: "Hong Kong", Region.MO: "Macao", Region.GD: "Guangdong"}


@dataclass(frozen=True, slots=True)
class KnownProvider:
    """A government's identity provider that this service is made for."""

    name: str
    region: Region
    native: str
    native_lang: str


KNOWN_PROVIDERS: Final = (
    KnownProvider("iam_smart", Region.HK, "智方便 iAM Smart", "zh-Hant"),
    KnownProvider("macao_one", Region.MO, "一戶通 One Account", "zh-Hant"),
    KnownProvider("guangdong", Region.GD, "广东省统一身份认证", "zh-Hans"),
)

ITEM_LABELS: Final[Mapping[ReleasedItem, tuple[str, str]]] = {
    ReleasedItem.NAME: ("Your name", "As your identity provider knows it"),
    ReleasedItem.BIRTHDATE: ("Your date of birth", "As your identity provider knows it"),
    ReleasedItem.GENDER: ("Your gender", "As your identity provider knows it"),
    ReleasedItem.PERMIT: (
        "That you hold an exit-entry permit and were present yourself",
        "Only the result of the check: not the number, not your picture",
    ),
    ReleasedItem.SIGNING: ("To ask you to sign documents", "You see and approve each document before it is signed"),
    ReleasedItem.DOCUMENT: (
        "To ask you to sign these documents, and no others",
        "You see and approve each document before it is signed",
    ),
    ReleasedItem.OFFLINE: (
        "To come back without you, for 30 days at most",
        "You can end this at any time on your account page",
    ),
}

ANOTHER_PERSON: Final = "another_person"
"""Code of the notice for somebody who signed in where the portal had named another (`id_token_hint`, CIBA)."""
NOTICES: Final[Mapping[str, str]] = {
    ANOTHER_PERSON: "This request is meant for somebody else. Sign in with the account that you use at this portal, or go back.",
    "upstream_denied": "You cancelled at the identity provider. You can try again or choose another way.",
    "upstream_not_genuine": "The identity provider's answer could not be verified. Please try again.",
    "upstream_code_refused": "The answer came too late or was used already. Please try again.",
    "upstream_account_refused": "This account cannot be used for what is asked. You can choose another way.",
    "upstream_timed_out": "The sign-in was not finished in time. Please try again.",
    "upstream_unavailable": "The identity provider cannot be reached now. Try again later or choose another way.",
}
OTHER_NOTICE: Final = "The sign-in did not succeed. Please try again."

ERROR_TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "unknown_relying_party": (
        "This portal is not registered here",
        "The link that brought you here is wrong. Go back to the portal and tell its staff.",
    ),
    "unregistered_redirect_uri": (
        "This portal's return address is not registered",
        "For your safety nothing was sent to it. Go back to the portal and tell its staff.",
    ),
    "invalid_request_uri": (
        "This request has expired or was used already",
        "Go back to the portal and start again.",
    ),
    "invalid_request_object": (
        "This portal's request cannot be verified",
        "For your safety it was not used. Go back to the portal and tell its staff.",
    ),
    "unknown_user_code": (
        "No device is waiting under this code",
        "Check the code on the device. If ten minutes have passed, start again there.",
    ),
    "malformed_request": (
        "This request cannot be read",
        "Go back to the portal and start again. If it happens again, tell its staff.",
    ),
    "nothing_to_answer": (
        "There is nothing to answer any more",
        "The request was answered already, or its time is over. If the portal still waits, start again there.",
    ),
    "login_expired": (
        "There is no sign-in in progress here",
        "It took too long, or it was started in another browser. Go back to the portal and start again.",
    ),
    "login_not_yours": (
        "This answer does not belong to your sign-in",
        "For your safety it was not used. Go back to the portal and start again.",
    ),
    "login_step_repeated": (
        "This step was already taken",
        "Perhaps in another window. Go on there, or go back to the portal and start again.",
    ),
    "form_refused": (
        "This form does not come from our page",
        "For your safety nothing was done. Go back to the portal and start again.",
    ),
    "unknown_connector": (
        "This identity provider is not connected here",
        "Go back and choose another way to sign in.",
    ),
    "temporarily_unavailable": ("The service is not available now", "Please try again in a few minutes."),
    "permit_step_unavailable": ("The permit check is not available now", "Please try again in a few minutes."),
    "too_many_requests": ("Too many requests", "Please wait a little and try again."),
}


def choice_rows(connectors: Mapping[str, Connector]) -> list[dict[str, object]]:
    """Return the rows of the login choice: the three governments' providers, then any others that are connected."""
    rows: list[dict[str, object]] = []
    for known in KNOWN_PROVIDERS:
        connector = connectors.get(known.name)
        native = known.native if connector is None else connector.display_names.get("native", known.native)
        rows.append(_row(known.name, native, known.native_lang, known.region, connected=connector is not None))
    listed = {known.name for known in KNOWN_PROVIDERS}
    for name, connector in sorted(connectors.items()):
        if name not in listed:
            native = connector.display_names.get("native", name)
            rows.append(_row(name, native, "", connector.region, connected=True))
    return rows


def _row(name: str, native: str, lang: str, region: Region, *, connected: bool) -> dict[str, object]:
    return {"name": name, "native": native, "lang": lang, "region": REGION_NAMES[region], "connected": connected}


def portal_facts(party: RelyingParty, locale: str) -> dict[str, object]:
    """Return who asks, for what."""
    return {"portal": party.named(locale), "portal_region": REGION_NAMES[party.region], "purpose": party.purpose}


def consent_rows(items: tuple[RequestedItem, ...]) -> list[dict[str, object]]:
    """Return the lines of the consent page."""
    return [
        {
            "item": line.item.value,
            "label": ITEM_LABELS[line.item][0],
            "hint": ITEM_LABELS[line.item][1],
            "essential": line.essential,
        }
        for line in items
    ]
