"""The databases of a data folder as one thing: checked before a start, upgraded by one command.

Owns:    which files there are, and the order of their upgrade. Leaves each schema to its owner.
"""

from service.audit_file import check_audit_file
from service.audit_move import holds_audit_log, move_audit_log
from service.database import check_schema, upgrade_schema
from service.errors import DataFolderRefused
from service.settings import Settings


def check_databases(settings: Settings) -> None:
    """Refuse databases that are missing, damaged, older or newer than this program.

    Raises:
        DataFolderRefused: with the command that mends it.
    """
    check_schema(settings.database_path)
    check_audit_file(settings.audit_path)
    if holds_audit_log(settings.database_path):
        raise DataFolderRefused("the audit log still lies in the service's database: run `gba-trust db upgrade`")


def upgrade_databases(settings: Settings) -> int:
    """Bring every database to this program's version, forward only; return how many audit entries were moved to their file.

    Raises:
        DataFolderRefused: a file is damaged, foreign or newer; nothing of it is changed then.
    """
    upgrade_schema(settings.database_path)
    return move_audit_log(settings.database_path, settings.audit_path)
