def apply_software_statement(document, config, *, at):
    return document, frozenset()
