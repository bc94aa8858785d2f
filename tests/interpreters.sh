#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# interpreters.sh [DIR]: prepares CPythons to test against in DIR (default build/interpreters) and prints them as
# JSON, see interpreters.py. Sources: the archives of $PYEBPF_INTERPRETERS, pyenv's versions, the distribution's
# python3; what is still missing of 3.13 and 3.14 comes from Debian's own packages, unpacked only.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/.." && pwd)
archives=${PYEBPF_INTERPRETERS:-$repo/../shared/interpreters}
mkdir -p "${1:-$repo/build/interpreters}"
dir=$(cd "${1:-$repo/build/interpreters}" && pwd)
apt_state=$dir/apt
# shellcheck source=tests/debian_apt.sh
. "$here/debian_apt.sh"
exec 9>"$dir/lock"
flock 9

unpack_archive() { # $1: NAME.tar.zst; into DIR/NAME, once
  local name
  name=$(basename "$1" .tar.zst)
  [ ! -e "$dir/$name/.unpacked" ] || return 0
  rm -rf "${dir:?}/$name"
  mkdir -p "$dir/$name"
  zstd -qdc "$1" | tar -xf - -C "$dir/$name"
  touch "$dir/$name/.unpacked"
}

# $1: suite, $2: series. A root to chroot into: the interpreter, its library and what they load.
unpack_debian() {
  local root=$dir/debian-$2/root package
  [ ! -e "$dir/debian-$2/.unpacked" ] || return 0
  prepare_suite "$1" || return 1
  rm -rf "$dir/debian-$2"
  mkdir -p "$root/usr/bin" "$root/usr/lib" "$root/usr/lib64"
  ln -s usr/bin usr/lib usr/lib64 "$root"
  for package in libc6 libgcc-s1 zlib1g libexpat1 libffi8 libzstd1 libssl3t64 liblzma5 libbz2-1.0 \
    "python$2-minimal" "libpython$2-minimal" "libpython$2-stdlib" "libpython$2"; do
    unpack_package "$1" "$package" "$root" || echo "interpreters: no $package in $1" >&2
  done
  chroot "$root" "/usr/bin/python$2" -c 'import threading, json, re' && touch "$dir/debian-$2/.unpacked"
}

chroot_ready() { # $1: root of a chroot; the workloads and a program that loads libpython are put in it
  local source=$here/e2e/workloads
  mkdir -p "$1/workloads"
  cp "$source"/*.py "$1/workloads/"
  if [ "$source/embed_python.cpp" -nt "$1/workloads/embed-python" ]; then
    g++ -O2 -static-libstdc++ -static-libgcc "$source/embed_python.cpp" -o "$1/workloads/embed-python" -ldl
  fi
}

for archive in "$archives"/*.tar.zst; do
  [ ! -e "$archive" ] || unpack_archive "$archive"
done
if [ "$(id -u)" = 0 ] && ! ls "$dir"/*/root/usr/bin/python3.14 >/dev/null 2>&1; then
  unpack_debian trixie 3.13 >&2 || echo "interpreters: Debian's 3.13 cannot be had" >&2
  unpack_debian sid 3.14 >&2 || echo "interpreters: Debian's 3.14 cannot be had" >&2
fi
for root in "$dir"/*/root; do
  [ ! -d "$root" ] || chroot_ready "$root"
done
exec "${PYTHON:-/usr/bin/python3}" "$here/interpreters.py" "$dir"
