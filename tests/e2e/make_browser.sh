#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make_browser.sh DIR: the npm package that drives Chromium in test_page.py, once. It comes through npm's own
# configuration; the browser is the distribution's.
set -euo pipefail

dir=$1
package=playwright-core@1.56.1 # the last for Node 18
[ "$(cat "$dir/.package" 2>/dev/null)" != "$package" ] || exit 0
rm -rf "$dir"
mkdir -p "$dir"
npm install --prefix "$dir" --silent --no-audit --no-fund --no-save "$package"
printf '%s' "$package" >"$dir/.package"
