#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# boot.sh TREE SCRATCH [SECONDS]: boots the kernel of TREE under qemu (no KVM needed); SCRATCH/guest.sh runs
# inside, with the host's files read-only and SCRATCH read-write at /mnt. The console is printed.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
tree=${1:?usage: boot.sh TREE SCRATCH [SECONDS]}
scratch=$(cd "${2:?usage: boot.sh TREE SCRATCH [SECONDS]}" && pwd)
limit_s=${3:-600}
initramfs=$tree/../initramfs.cpio.gz

kernel=$(find "$tree" \( -path '*/boot/vmlinuz-*' -o -path '*/modules/*/vmlinuz' \) -type f | head -1)
[ -n "$kernel" ] || {
  echo "boot: no kernel image in $tree" >&2
  exit 1
}
if [ ! -s "$initramfs" ] || [ "$here/init.sh" -nt "$initramfs" ] || [ "$here/make_initramfs.sh" -nt "$initramfs" ]; then
  "$here/make_initramfs.sh" "$tree" "$initramfs"
fi

# Emulated, the guest cannot calibrate its clock against a loaded host: it is told the TSC's rate.
tsc_khz=$(awk '/^bogomips/ { printf "%d", $3 * 500; exit }' /proc/cpuinfo)
arguments="console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off nokaslr no_timer_check tsc=reliable"
arguments+=" tsc_early_khz=$tsc_khz rcupdate.rcu_expedited=1"
share="local,security_model=none,multidevs=remap"
timeout --foreground "$limit_s" qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 1536 \
  -kernel "$kernel" -initrd "$initramfs" -append "$arguments" \
  -nodefaults -no-reboot -display none -monitor none -net none -serial stdio \
  -fsdev "$share,id=host,path=/,readonly=on" -device virtio-9p-pci,fsdev=host,mount_tag=host \
  -fsdev "$share,id=scratch,path=$scratch" -device virtio-9p-pci,fsdev=scratch,mount_tag=scratch \
  </dev/null 2>&1 | tr -d '\r'
