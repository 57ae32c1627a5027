"""Every grant that `/token` knows, in one list.

Owns:    which function redeems which grant type. Leaves each grant's rules to its file.
"""

from collections.abc import Awaitable, Callable, Mapping

from idp.deps import IdpDeps
from idp.grants.authorization_code import redeem_authorization_code
from idp.grants.client_credentials import redeem_client_credentials
from idp.grants.decoupled import redeem_auth_req_id, redeem_device_code
from idp.grants.refresh_token import redeem_refresh_token
from idp.grants.token_exchange import redeem_token_exchange
from idp.protocol import GrantType
from idp.token_request import Issue, TokenRequest

REDEEM: Mapping[str, Callable[[TokenRequest, IdpDeps], Awaitable[Issue]]] = {
    GrantType.AUTHORIZATION_CODE.value: redeem_authorization_code,
    GrantType.REFRESH_TOKEN.value: redeem_refresh_token,
    GrantType.CLIENT_CREDENTIALS.value: redeem_client_credentials,
    GrantType.DEVICE_CODE.value: redeem_device_code,
    GrantType.TOKEN_EXCHANGE.value: redeem_token_exchange,
    GrantType.CIBA.value: redeem_auth_req_id,
}
