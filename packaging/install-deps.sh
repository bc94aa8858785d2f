#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# install-deps.sh [--build] [--test] [--fuzz]: installs with apt what the build, the tests and fuzzing need, on Debian 12+
# and Ubuntu 24.04+. Without an option: the first two. Does nothing when all is there. Needs root or sudo otherwise.
set -euo pipefail

want_build=0
want_test=0
want_fuzz=0
for option in "$@"; do
  case $option in
  --build) want_build=1 ;;
  --test) want_test=1 ;;
  --fuzz) want_fuzz=1 ;;
  *)
    sed -n '3,4s/^# //p' "$0" >&2
    exit 1
    ;;
  esac
done
[ $# -gt 0 ] || want_build=1 want_test=1

build=(g++ make cmake ninja-build pkg-config libbpf-dev libelf-dev libdw-dev liblzma-dev libyaml-cpp-dev libspdlog-dev libfmt-dev
  prometheus-cpp-dev libcli11-dev libmicrohttpd-dev zlib1g-dev libprotozero-dev nlohmann-json3-dev libiberty-dev
  libcap-dev libseccomp-dev libncurses-dev libzydis-dev ccache python3 binutils libbpfcc-dev)
tests=(lld musl-tools tmux libgtest-dev libbenchmark-dev prometheus qemu-system-x86 busybox-static python3-pytest cpio xz-utils
  zstd gdb curl ca-certificates debian-archive-keyring util-linux valgrind debuginfod protobuf-compiler)

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "install-deps: not a Debian or Ubuntu system; see the package list in $0 and install its like" >&2
  exit 0
fi

missing=()
need() {
  local package
  for package in "$@"; do
    installed "$package" || missing+=("$package")
  done
}

available() {
  local policy
  policy=$(apt-cache policy "$1" 2>/dev/null)
  grep -q '^  Candidate: [^(]' <<<"$policy"
}

first_available() {
  local package
  for package in "$@"; do
    if available "$package"; then
      echo "$package"
      return
    fi
  done
  echo "$1"
}

# The version; nothing if there is none.
find_clang() {
  local version
  for version in 16 19 18 17 20 21 15; do
    if command -v "clang-$version" >/dev/null; then
      echo "$version"
      return 0
    fi
  done
  return 1
}

# Ubuntu's bpftool belongs to the running kernel's tools; /usr/sbin/bpftool is a wrapper that needs them.
bpftool_works() { PATH=$PATH:/usr/sbin:/sbin bpftool version >/dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "install-deps: these packages are missing and there is no sudo; as root: apt-get install ${missing[*]}" >&2
    exit 2
  fi
}

collect() {
  missing=()
  if [ $want_build = 1 ]; then
    need "${build[@]}"
    find_clang >/dev/null || missing+=("$(first_available clang-16 clang-19 clang-18 clang-17 clang)")
    bpftool_works || missing+=("$(first_available bpftool linux-tools-common)")
    if ! bpftool_works && ! available bpftool; then
      missing+=("$(first_available "linux-tools-$(uname -r)" linux-tools-generic)")
    fi
  fi
  if [ $want_test = 1 ]; then
    need "${tests[@]}"
    command -v go >/dev/null || missing+=(golang-go)
    command -v npm >/dev/null || missing+=(nodejs npm)
    need_chromium
  fi
  if [ $want_fuzz = 1 ]; then
    need "libclang-rt-$(find_clang || echo 16)-dev"
  fi
}

# Ubuntu has it only as a snap, which the tests use if it is there.
need_chromium() {
  command -v chromium chromium-browser google-chrome >/dev/null && return
  grep -q '^ID=ubuntu' /etc/os-release 2>/dev/null || missing+=(chromium)
}

# Packages that bring a service must not leave it running: only the programs are wanted.
no_services() {
  local file=/usr/sbin/policy-rc.d
  [ ! -e $file ] || return 0
  printf '#!/bin/sh\nexit 101\n' | as_root tee $file >/dev/null
  as_root chmod 755 $file
  trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
}

collect
[ ${#missing[@]} -gt 0 ] || exit 0
had_prometheus=0
! installed prometheus || had_prometheus=1
no_services
as_root apt-get -o Acquire::Retries=3 -qq update
collect # now with the candidates of fresh lists
echo "install-deps: installing ${missing[*]}"
as_root env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 -qq install -y \
  --no-install-recommends "${missing[@]}" </dev/null
if [ $had_prometheus = 0 ] && installed prometheus && [ -d /run/systemd/system ]; then
  as_root systemctl disable --now prometheus prometheus-node-exporter >/dev/null 2>&1 || true
fi
