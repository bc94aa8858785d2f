#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the first inputs of tests/fuzz/corpus, small ones of the kinds that the targets read.
set -euo pipefail

corpus=$(cd "$(dirname "$0")" && pwd)/corpus
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p "$corpus"/{answers,demangle,eh_frame,elf,line_table,lines,perf_map,profile,symbols}

cat >p.c <<'C'
__attribute__((noinline)) static int leaf(int x) { return x * 3; }
static inline __attribute__((always_inline)) int in(int x) { return leaf(x) + 1; }
__attribute__((noinline)) int middle(int x) { char room[64 + x]; room[x] = 1; return in(x) + room[0]; }
void _start(void) { middle(1); __builtin_trap(); }
C
# shellcheck disable=SC2054
small=(-nostdlib -static -no-pie -Wl,--build-id=sha1 -Wl,-z,noseparate-code -Wl,-z,max-page-size=4096 -Wl,-Ttext=0x1000)
gcc -O1 -g -gdwarf-5 "${small[@]}" -o five p.c
gcc -O1 -g -gdwarf-4 -gz "${small[@]}" -o four p.c
gcc -O2 -g0 -fomit-frame-pointer "${small[@]}" -o plain p.c
gcc -O2 -g0 -fno-asynchronous-unwind-tables "${small[@]}" -o bare p.c
strip -o stripped plain
objcopy -S --keep-symbol=leaf plain mini
xz -k mini
objcopy --add-section .gnu_debugdata=mini.xz stripped packed
printf 'x' >link.debug
objcopy --add-gnu-debuglink=link.debug stripped linked
cp plain bare stripped packed linked "$corpus/elf"
cp plain stripped packed linked "$corpus/symbols"
cp five four "$corpus/lines"
for program in five plain; do
  objcopy -O binary --only-section=.eh_frame "$program" "$corpus/eh_frame/$program"
done
printf '1000 20 first\n1020 10 second name\n1010 8 over it\nzz\n' >"$corpus/perf_map/lines"
python3 - "$corpus/perf_map" <<'P'
import os
import struct
import sys

def record(kind, body):
    return struct.pack("<IIQ", kind, 16 + len(body), 0) + body

header = struct.pack("<IIIIIIQQ", 0x4A695444, 1, 40, 62, 0, 7, 0, 0)
load = record(0, struct.pack("<IIQQQQ", 7, 7, 0x1000, 0x1000, 8, 0) + b"name\0" + b"\x90" * 8)
move = record(1, struct.pack("<IIQQQQQ", 7, 7, 0x2000, 0x1000, 0x2000, 8, 0))
with open(os.path.join(sys.argv[1], "jitdump"), "wb") as file:
    file.write(header + load + move)
P
printf 'thread main (7);f (a.py:1);g [libc.so.6];h [kernel] 3\n[marker] 1\n' >"$corpus/profile/folded"
printf 'my prog 7/8 [001] 1.5: 1000 cpu-clock:\n\tff f+0x1 (/lib/libc.so.6)\n\t 0 g (/srv/a.py:3)\n\n' >"$corpus/profile/perf"
python3 - "$corpus/profile" <<'P'
import gzip
import os
import sys

def field(number, value):
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value

texts = [b"", b"cpu", b"nanoseconds", b"f", b"a.py", b"pid", b"/lib/libc.so.6"]
raw = field(1, field(1, 1) + field(2, 2))
raw += field(2, field(1, bytes([1, 2])) + field(2, bytes([100])) + field(3, field(1, 5) + field(3, 7)))
raw += field(3, field(1, 1) + field(5, 6))
raw += field(4, field(1, 1) + field(4, field(1, 1) + field(2, 9))) + field(4, field(1, 2) + field(2, 1) + field(3, 16))
raw += field(5, field(1, 1) + field(2, 3) + field(4, 4)) + b"".join(field(6, text) for text in texts) + field(12, 50)
for name, data in (("pprof", raw), ("pprof.gz", gzip.compress(raw, mtime=0))):
    with open(os.path.join(sys.argv[1], name), "wb") as file:
        file.write(data)
P
for name in _ZN3foo3barIiEEvT_ _ZNSt6vectorIiSaIiEE9push_backEOi _RNvCs1234_7mycrate3foo _D3std5stdio7writelnFZv \
  _ZN4core3fmt5Write9write_fmt17h0123456789abcdefE memcpy@@GLIBC_2.14; do
  printf '%s' "$name" >"$corpus/demangle/${name:0:12}"
done
python3 - "$corpus/line_table" <<'P'
import os
import sys

def f(a):
    for i in range(3):
        a += (i +
              1)
    try:
        return a
    finally:
        a = 0

for attribute in ("co_linetable", "co_lnotab"):
    with open(os.path.join(sys.argv[1], attribute), "wb") as file:
        file.write(getattr(f.__code__, attribute))
P
printf '\0' >"$corpus/answers/tables"
printf '\1\377\377\377\377\0\0\0\0\0\0\0\0\0' >"$corpus/answers/symbols"
printf '\2\1\0\0\0\0\0\0\0\0\20\0\0\0\0\0\0\5\0\0\0\4\0\0\0\3\0\2\0abcde' >"$corpus/answers/lines"
