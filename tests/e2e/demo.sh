#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# demo.sh BUILD: profiles foobar.py, a program with worker threads where foo() does three times the work of bar().
# Leaves BUILD/demo/{flame.html,flame.svg,report.txt,profile.pb.gz} and prints the report.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?usage: demo.sh BUILD}" && pwd)
out=$build/demo
seconds=${PYEBPF_DEMO_SECONDS:-10}
mkdir -p "$out"

sudo=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || {
    echo "demo: the profiler needs root and there is no sudo" >&2
    exit 2
  }
  sudo=(sudo)
  sudo -v
fi

python=
for candidate in python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
[ -n "$python" ] || {
  echo "demo: no CPython 3.11 or newer on PATH" >&2
  exit 4
}

"$python" "$here/workloads/foobar.py" --now --threads 4 --seconds $((seconds + 40)) >"$out/workload.json" &
workload=$!
trap 'kill $workload 2>/dev/null || true' EXIT
sleep 1

"${sudo[@]}" "$build/pyebpf-prof" snapshot --pid $workload -d "$seconds" -r 99 \
  -o "$out/report.txt" -o "$out/flame.html" -o "$out/flame.svg" -o "$out/profile.pb.gz"
[ ${#sudo[@]} = 0 ] || sudo chown "$(id -u):$(id -g)" "$out"/*

cat "$out/report.txt"
echo
echo "demo: $out/flame.html and $out/flame.svg (open them in a browser), $out/report.txt, $out/profile.pb.gz"
