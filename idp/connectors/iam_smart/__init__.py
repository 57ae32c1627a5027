"""iAM Smart (智方便), Hong Kong: our side of its wire.

Read first: `connector` (a login), `remote_signer` (a signature), `callbacks` (what the upstream pushes), `wire` (the bytes).
What the fact sheet could not confirm is called *assumed* at its line and is a field of `config.IamSmartConfig`.
"""

from idp.connectors.iam_smart.config import IamSmartConfig, KekPadding, parse_credentials
from idp.connectors.iam_smart.connector import IamSmartConnector
from idp.connectors.iam_smart.sqlite_store import SqliteIamSmartStore

__all__ = ["IamSmartConfig", "IamSmartConnector", "KekPadding", "SqliteIamSmartStore", "parse_credentials"]
