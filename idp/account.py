"""The account page's own relying party: the provider itself, so that a person can sign in to see their account.

Owns:    that one value. It stands in no table: its login ends at our own page and yields no grant.
"""

from idp.protocol import ClientAuthMethod, Scope
from idp.registration_values import RelyingParty
from trust_lists.vocabulary import Region

ACCOUNT_PARTY = RelyingParty(
    client_id="gba-trust-account",
    client_name="GBA Trust",
    redirect_uris=("https://account.invalid/",),
    auth_method=ClientAuthMethod.NONE,
    region=Region.HK,
    scope=(Scope.OPENID.value,),
)
