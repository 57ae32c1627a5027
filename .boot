#!/bin/sh
# .boot LOCKFILE : one virtual environment in .venv with exact, hashed versions; uv when it can be had, else pip. Does nothing when the
# lock and pyproject.toml are as they were. Sourced by ./run and ./test, which stand in the project's root.
set -eu
lock=$1
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed; name one with PYTHON=/path/to/python" >&2; exit 3; }
want=$(cat "$lock" pyproject.toml | sha256sum | cut -c1-64)
have=$(cat .venv/.stamp 2>/dev/null || true)
[ "$have" = "$want" ] && exit 0
# ./run needs less than ./test: an environment that already holds the test set is good for both
if [ "$lock" = requirements.lock ] && [ "$have" = "$(cat requirements-test.lock pyproject.toml | sha256sum | cut -c1-64)" ]; then exit 0; fi
echo "setting up .venv from $lock …" >&2
[ -x .venv/bin/python ] || "$python" -m venv .venv || { echo "error: the virtual environment could not be made (on Debian: apt-get install python3-venv)" >&2; exit 3; }
pip="-q --disable-pip-version-check"
rm -f .venv/.stamp
if [ -x .venv/bin/uv ] || .venv/bin/pip install $pip --require-hashes -r requirements-boot.lock >/dev/null 2>&1; then
  .venv/bin/uv pip install -q --python .venv/bin/python --require-hashes -r "$lock" &&
  .venv/bin/uv pip install -q --python .venv/bin/python --no-deps --no-build-isolation -e . || { echo "error: packages could not be installed" >&2; exit 3; }
else
  .venv/bin/pip install $pip --require-hashes -r "$lock" &&
  .venv/bin/pip install $pip --no-deps --no-build-isolation -e . || { echo "error: packages could not be installed" >&2; exit 3; }
fi
echo "$want" > .venv/.stamp
