#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run_vm.sh [KERNEL...]: runs guest_test.py under each kernel of kernels.txt (default 5.10 6.1) and prints one line
# per check: `KERNEL: ok NAME`, `KERNEL: not ok NAME: why`. Exit 1 if any check failed or is missing. The console of
# each machine is in build/vm-results/KERNEL/console.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)
build=${PYEBPF_BUILD:-$repo/build}
limit_s=${PYEBPF_VM_LIMIT_S:-600}
failed=0

# Three interpreters: the oldest, the newest with and the newest without a libpython of its own.
choose_interpreters() {
  /usr/bin/python3 -c '
import json, sys
found = [e for e in json.load(sys.stdin) if e["supported"]]
kinds = {e["kind"]: e for e in found}
chosen = {e["name"]: e for e in found[:1] + list(kinds.values())}
json.dump(list(chosen.values()), sys.stdout)'
}

prepare() { # $1: scratch folder
  "$repo/tests/interpreters.sh" "$build/interpreters" | choose_interpreters >"$1/interpreters.json"
  PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -c '
import pathlib, sys
sys.path.insert(0, sys.argv[1])
import harness
harness.build_native_rec(pathlib.Path(sys.argv[2]))' "$repo/tests/e2e" "$1"
  cat >"$1/guest.sh" <<END
export PYEBPF_BUILD='$build'
/usr/bin/python3 '$repo/tests/vm/guest_test.py' '$repo' /mnt
END
}

report() { # $1: kernel, $2: scratch folder; the checks' lines, and one for each that did not run
  local name
  if [ ! -s "$2/results" ]; then
    echo "$1: not ok boot: no results, see $2/console"
    return
  fi
  grep -v '^plan ' "$2/results" | sed "s/^/$1: /"
  while read -r name; do
    grep -qE "^(not )?ok $name(:|\$)" "$2/results" ||
      echo "$1: not ok $name: did not run within $limit_s s, see $2/console"
  done < <(sed -n 's/^plan //p' "$2/results" | tr ' ' '\n')
}

[ $# -gt 0 ] || set -- 5.10 6.1
for kernel in "$@"; do
  scratch=$build/vm-results/$kernel
  rm -rf "$scratch"
  mkdir -p "$scratch"
  if tree=$("$here/fetch_kernel.sh" "$kernel" 2>"$scratch/console"); then
    prepare "$scratch"
    "$here/boot.sh" "$tree" "$scratch" "$limit_s" >"$scratch/console" 2>&1 || true
    lines=$(report "$kernel" "$scratch")
  else
    lines="$kernel: not ok fetch: $(tail -1 "$scratch/console")"
  fi
  echo "$lines"
  ! grep -q "^$kernel: not ok" <<<"$lines" || failed=1
done
exit $failed
