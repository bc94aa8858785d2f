#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fetch_kernel.sh NAME: unpacks the kernel NAME of kernels.txt and prints its folder. Installs nothing: package
# lists, downloads and trees live in the cache (build/vm, or $PYEBPF_CACHE/vm).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${PYEBPF_CACHE:-$here/../../build}/vm
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
apt_state=$cache/apt
name=${1:?usage: fetch_kernel.sh NAME (a name of kernels.txt)}
tree=$cache/$name/tree
# shellcheck source=tests/debian_apt.sh
. "$here/../debian_apt.sh"

die() {
  echo "fetch_kernel: $*" >&2
  exit 1
}

vmlinuz_of() { # $1: tree
  find "$1" \( -path '*/boot/vmlinuz-*' -o -path '*/modules/*/vmlinuz' \) -type f 2>/dev/null | head -1
}

take() { # $1: suite, $2: package; from 7.2 on an image is split in three packages
  local version=${2#linux-image-}
  rm -rf "$tree.new"
  unpack_package "$1" "$2" "$tree.new" || return 1
  if [ -z "$(vmlinuz_of "$tree.new")" ]; then
    unpack_package "$1" "linux-binary-$version" "$tree.new" || return 1
    unpack_package "$1" "linux-modules-$version" "$tree.new" || return 1
  fi
  [ -n "$(vmlinuz_of "$tree.new")" ] || return 1
  echo "$2 ($1)" >"$tree.new/package"
  rm -rf "$tree"
  mv "$tree.new" "$tree"
}

fetch_from() { # $1: suite, $2: pattern
  local package
  if ! prepare_suite "$1"; then
    echo "fetch_kernel: suite $1 cannot be read: $(tail -1 "$apt_state/$1/update.log")" >&2
    return 1
  fi
  while read -r package; do
    take "$1" "$package" && return 0
    echo "fetch_kernel: $package cannot be downloaded, trying an older one" >&2
  done < <(suite_apt "$1" apt-cache pkgnames linux-image- | grep -Ex "$2" | sort -rV | head -6)
  return 1
}

grep -q "^$name " "$here/kernels.txt" || die "$name is not in kernels.txt"
mkdir -p "$cache/$name"
exec 9>"$cache/$name/lock"
flock 9
if [ ! -e "$tree/package" ]; then
  while read -r entry suite pattern; do
    [ "$entry" = "$name" ] || continue
    if fetch_from "$suite" "$pattern"; then break; fi
  done <"$here/kernels.txt"
  [ -e "$tree/package" ] || die "no package for $name could be downloaded"
fi
echo "$tree"
