"""A data folder as one thing: its databases checked before a start and upgraded by one command, its keys opened.

Owns:    which files there are, and the order of their upgrade. Leaves each schema to its owner, keys to `key_ring`.
"""

from service.audit_file import audit_version, check_audit_file
from service.audit_move import holds_audit_log, move_audit_log
from service.audit_store import read_audit_file
from service.audit_writer import stored_head
from service.errors import DataFolderRefused
from service.key_ring import KeyRing, load_key_encryption_key
from service.provider_database import check_schemas, upgrade_schemas
from service.settings import Mode, Settings
from trust_lists.clock import Clock, utc_now


def check_databases(settings: Settings) -> None:
    """Refuse databases that are missing, damaged, older or newer than this program.

    Raises:
        DataFolderRefused: with the command that mends it.
        ServiceUnavailable: a PostgreSQL server cannot be reached.
    """
    check_schemas(settings)
    check_audit_file(settings.audit_path)
    if holds_audit_log(settings.database_path):
        raise DataFolderRefused("the audit log still lies in the service's database: run `gba-trust db upgrade`")


def upgrade_databases(settings: Settings) -> int:
    """Bring every database to this program's version, forward only; return how many audit entries were moved to their file.

    Raises:
        DataFolderRefused: a file is damaged, foreign or newer; nothing of it is changed then.
        ServiceUnavailable: a PostgreSQL server cannot be reached.
    """
    upgrade_schemas(settings)
    return move_audit_log(settings.database_path, settings.audit_path)


def open_key_ring(settings: Settings, clock: Clock = utc_now, *, complete: bool = True) -> KeyRing:
    """Open the folder's keys; with `complete`, those that are lacking are made: all of them at the first start.

    Raises:
        KeyRefused: the key-encryption key is missing, or does not open the ring.
        DataFolderRefused: the ring is damaged, or gone from a folder that was in use: new keys would lock all data away for good.
    """
    kek = load_key_encryption_key(settings.key_encryption_key_file, create=complete and settings.mode is Mode.DEMO)
    folder = settings.data / "keys"
    if not (folder / "ring.json").exists() and _was_in_use(settings):
        raise DataFolderRefused("the key ring is gone from a data folder that was in use: restore it from a backup")
    return KeyRing.open(folder, kek, at=clock(), clock=clock, policy=settings.key_rotation, complete=complete)


def _was_in_use(settings: Settings) -> bool:
    """Tell whether a service has run on this folder: its first act is an audit event."""
    if audit_version(settings.audit_path) is None:
        return False
    return read_audit_file(settings.audit_path, stored_head).seq > 0
