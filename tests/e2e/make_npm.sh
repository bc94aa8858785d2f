#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make_npm.sh DIR: the npm packages of the tests, once: what drives Chromium, a language model's tokenizer. They come
# through npm's own configuration; the browser is the distribution's.
set -euo pipefail

dir=$1
packages="playwright-core@1.56.1 gpt-tokenizer@3.4.0" # the former is the last for Node 18
[ "$(cat "$dir/.packages" 2>/dev/null)" != "$packages" ] || exit 0
rm -rf "$dir"
mkdir -p "$dir"
# shellcheck disable=SC2086
npm install --prefix "$dir" --silent --no-audit --no-fund --no-save $packages
printf '%s' "$packages" >"$dir/.packages"
