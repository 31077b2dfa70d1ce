#!/usr/bin/env bash
# Make .venv where it is not there (or was moved), and install one requirements file into it. Says in one sentence what is in the way.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-python3}"

fail() {
    echo "signalbox: $1" >&2
    exit 1
}

command -v "$python" >/dev/null || fail "There is no $python here: apt install python3 python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Signalbox needs Python 3.11 or newer; set PYTHON=/path/to/one."
if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "This Python lacks ensurepip: apt install python3-venv"
    rm -rf .venv
    "$python" -m venv .venv
fi
echo "Installing $1 into .venv."
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$1"
