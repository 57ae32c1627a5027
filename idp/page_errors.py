"""Refusals that are shown to the person on our own page, and never travel through a redirect.

Owns:    their codes. Leaves the tree to `errors`, the words for people to `login_pages`, statuses to `oauth_responses`.
Rules:   there is no verified place to send them to; a message is fit to be shown outside
"""

from idp.errors import IdpRefused


class PageError(IdpRefused):
    """A refusal that may only be shown on our own page: there is no verified place to send it to."""


class UnknownRelyingParty(PageError):
    """No relying party is registered under this client_id."""

    code = "unknown_relying_party"


class UnregisteredRedirectUri(PageError):
    """The redirect URI is not exactly one that this relying party registered."""

    code = "unregistered_redirect_uri"


class UnknownPushedRequest(PageError):
    """The portal's prepared request is unknown, was used, or has expired."""

    code = "invalid_request_uri"


class RequestObjectRefused(PageError):
    """The portal's signed request does not verify, and names no return address of its own that is registered."""

    code = "invalid_request_object"


class UnknownDeviceCode(PageError):
    """No device waits under this code; perhaps it has expired."""

    code = "unknown_user_code"


class NothingToAnswer(PageError):
    """No request of a portal's backend waits behind this link: it was answered, or has expired."""

    code = "nothing_to_answer"


class MalformedRequest(PageError):
    """The request cannot be read: too large, wrongly encoded, or its client_id or redirect_uri is repeated."""

    code = "malformed_request"


class LoginExpired(PageError):
    """There is no login in progress in this browser, or it took too long."""

    code = "login_expired"


class LoginNotYours(PageError):
    """This answer does not belong to the login that this browser started."""

    code = "login_not_yours"


class LoginStepRepeated(PageError):
    """This step was already taken, perhaps in another window."""

    code = "login_step_repeated"


class FormRefused(PageError):
    """The form does not come from the page that we showed in this browser."""

    code = "form_refused"


class UnknownConnector(PageError):
    """No such identity provider is connected."""

    code = "unknown_connector"
