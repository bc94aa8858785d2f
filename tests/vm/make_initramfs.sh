#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make_initramfs.sh TREE OUT: an initramfs of busybox, init.sh and the modules that reach the host's files over 9p.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
tree=${1:?usage: make_initramfs.sh TREE OUT}
out=${2:?usage: make_initramfs.sh TREE OUT}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

unpack() {
  case $1 in
  *.xz) xz -dc "$1" ;;
  *.zst) zstd -qdc "$1" ;;
  *.gz) gzip -dc "$1" ;;
  *) cat "$1" ;;
  esac
}

# Packages carry no modules.dep (depmod writes it at installation), so the order comes from .modinfo.
add_module() { # $1: name; what it depends on goes first; built-in ones have no file
  local name=${1//-/_} file dependency
  [ ! -e "$work/modules/$name.ko" ] || return 0
  file=$(find "$tree" -path '*/modules/*' -name "${name//_/[-_]}.ko*" -print -quit)
  [ -n "$file" ] || return 0
  unpack "$file" >"$work/modules/$name.ko"
  for dependency in $(strings -a "$work/modules/$name.ko" | sed -n 's/^depends=//p' | tr ',' ' '); do
    add_module "$dependency"
  done
  echo "$name.ko" >>"$work/modules/order"
}

mkdir -p "$work"/{bin,dev,proc,sys,root,modules}
touch "$work/modules/order"
cp "$(command -v busybox)" "$work/bin/busybox"
ln -s busybox "$work/bin/sh"
for module in virtio_pci 9pnet_virtio 9p; do
  add_module "$module"
done
install -m 755 "$here/init.sh" "$work/init"
(cd "$work" && find . | cpio --quiet -o -H newc | gzip -1) >"$out.new"
mv "$out.new" "$out"
