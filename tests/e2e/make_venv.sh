#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make_venv.sh PYTHON DIR: a virtual environment with the applications that test_apps.py profiles, made once. Packages
# come through pip's own configuration.
set -euo pipefail

python=$1 dir=$2
packages="gunicorn uvicorn numpy pandas gevent py-spy mcp>=2,<3"
[ "$(cat "$dir/.packages" 2>/dev/null)" != "$packages" ] || exit 0
rm -rf "$dir"
"$python" -m venv "$dir"
# shellcheck disable=SC2086
"$dir/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --only-binary :all: $packages
printf '%s' "$packages" >"$dir/.packages"
