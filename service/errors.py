"""What stops the service or a command, said in one line.

ServiceError
├── SettingsRefused      configuration_refused   nonsense, missing or unsafe settings
├── DataFolderRefused    data_folder_refused     broken, newer, foreign or unwritable data
├── DataFolderInUse      data_folder_in_use      a second instance on the same data
├── KeyRefused           key_refused             a key file that cannot be opened or a rotation that may not be
├── AuditBroken          audit_chain_broken      the audit log does not verify
└── ServiceUnavailable   service_unavailable     an edge failed: port taken, disk full, peer not there
"""


class ServiceError(Exception):
    """Root of the service's own errors; `code` is stable, the text is safe to show."""

    code = "service_error"


class SettingsRefused(ServiceError):
    """A setting is missing, nonsense, or unsafe in this mode."""

    code = "configuration_refused"


class DataFolderRefused(ServiceError):
    """The data folder cannot be used as it is."""

    code = "data_folder_refused"


class DataFolderInUse(ServiceError):
    """Another process works on this data folder."""

    code = "data_folder_in_use"


class KeyRefused(ServiceError):
    """A key cannot be used or changed in the way asked."""

    code = "key_refused"


class AuditBroken(ServiceError):
    """The audit log was altered, cut, reordered or forked."""

    code = "audit_chain_broken"


class ServiceUnavailable(ServiceError):
    """Something outside the process failed; trying again may help."""

    code = "service_unavailable"
