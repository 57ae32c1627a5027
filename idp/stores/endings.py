"""What ends together: a login, the pushed request that it came from, and the decoupled request that it answers.

Owns:    the statements by which each of them ends once. Leaves the transaction to its callers.
Rules:   whoever finds one of them already ended keeps nothing of what it was about to keep
"""

from idp.ports import SqlTransaction
from idp.store import Ending


async def end_what_led_here(work: SqlTransaction, ending: Ending, *, grant: str | None) -> bool:
    """End it; with `grant` a decoupled request is approved, without it is denied. False when any had ended before."""
    if ending.handle_hash is not None:
        if await work.execute("DELETE FROM idp_logins WHERE handle_hash = $1", ending.handle_hash) != 1:
            return False
    # RFC 9126 cl. 4: a request_uri serves once; it is spent by the authorization, not by the first visit
    if ending.pushed is not None:
        if await work.execute("DELETE FROM idp_pushed_requests WHERE uri_hash = $1", ending.pushed) != 1:
            return False
    if ending.decoupled is not None:
        status = "denied" if grant is None else "approved"
        decided = await work.execute(
            "UPDATE idp_decoupled SET status = $1, grant_id = $2 WHERE id = $3 AND status = 'pending'",
            status,
            grant,
            ending.decoupled,
        )
        if decided != 1:
            return False
    return True
