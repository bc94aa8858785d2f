#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [--merge] SECONDS [TARGET...]: fuzzes the parsers with libFuzzer, AddressSanitizer and
# UndefinedBehaviorSanitizer, as many at once as there are CPUs, and prints a line for each. Findings and new inputs
# are left in build-fuzz/. With --merge, inputs that reach new code are added to tests/fuzz/corpus instead.
set -euo pipefail

cd "$(dirname "$0")/../.."
merge=0
if [ "${1:-}" = --merge ]; then
  merge=1
  shift
fi
seconds=${1:?how many seconds for each target?}
shift
version=$(find /usr/lib/llvm-* -name 'libclang_rt.fuzzer-x86_64.a' | sed 's|.*/llvm-\([0-9]*\)/.*|\1|' | sort -n | tail -1)
build="build-fuzz"
mkdir -p $build
cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER="clang-$version" \
  -DCMAKE_CXX_COMPILER="clang++-$version" -DCMAKE_CXX_FLAGS=-D_GLIBCXX_ASSERTIONS \
  -DPYPROF_SANITIZE=fuzzer-no-link,address,undefined >$build/build.log 2>&1 || { cat $build/build.log >&2; exit 1; }
targets=("$@")
if [ ${#targets[@]} = 0 ]; then
  mapfile -t targets < <(sed -n 's/^set(FUZZ_TARGETS \(.*\))$/\1/p' tests/fuzz/CMakeLists.txt | tr ' ' '\n')
fi
cmake --build $build --target "${targets[@]/#/fuzz-}" >>$build/build.log 2>&1 || {
  tail -50 $build/build.log >&2
  exit 1
}

export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
common=(-max_len=16384 -timeout=10 -rss_limit_mb=3072 -print_final_stats=1)

fuzz() {
  local target=$1 found=$build/found/$1 log=$build/$1.log
  mkdir -p "$found"
  local verdict="no finding"
  "$build/fuzz-$target" "${common[@]}" -max_total_time="$seconds" -artifact_prefix="$build/$target-" "$found" \
    "tests/fuzz/corpus/$target" >"$log" 2>&1 || verdict="FINDING, see $log"
  printf '%-12s %12s runs  %6s edges  %s\n' "$target" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
    "$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)" "$verdict"
  [ "$verdict" = "no finding" ]
}

keep() {
  "$build/fuzz-$1" -max_len=4096 -timeout=10 -rss_limit_mb=3072 -merge=1 "tests/fuzz/corpus/$1" \
    "$build/found/$1" >"$build/$1-merge.log" 2>&1
}

failed=0
for ((i = 0; i < ${#targets[@]}; i += $(nproc))); do
  running=()
  for target in "${targets[@]:i:$(nproc)}"; do
    if [ $merge = 1 ]; then keep "$target" & else fuzz "$target" & fi
    running+=($!)
  done
  for pid in "${running[@]}"; do
    wait "$pid" || failed=1
  done
done
exit $failed
