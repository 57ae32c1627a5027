"""The grants: what a relying party may present at `/token`, and what each is worth. One file a grant type, one list of all: `redeeming`."""
