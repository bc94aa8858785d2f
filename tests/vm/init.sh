#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# PID 1 of the test machine: the host's files read-only over 9p, /scratch/guest_test.sh (the share `scratch`,
# mounted at /mnt) is run in them, then the machine powers off.
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
while read -r module; do
  insmod "/modules/$module" || echo "init: $module cannot be loaded"
done </modules/order

share="trans=virtio,version=9p2000.L,msize=262144"
if ! mount -t 9p -o "ro,cache=loose,$share" host /root; then
  echo "not ok guest-files"
  poweroff -f
fi
for place in proc:proc sysfs:sys devtmpfs:dev tmpfs:run bpf:sys/fs/bpf cgroup2:sys/fs/cgroup tmpfs:dev/shm; do
  mkdir -p "/root/${place#*:}" 2>/dev/null
  mount -t "${place%%:*}" "${place%%:*}" "/root/${place#*:}" || echo "init: no ${place#*:}"
done
mount -t 9p -o "rw,$share" scratch /root/mnt || echo "not ok guest-scratch"
ip link set lo up
# /tmp stays the host's: a checkout below it is visible, and nothing there can be written.
chroot /root /usr/bin/env -i HOME=/dev/shm TMPDIR=/dev/shm TERM=dumb PYTHONDONTWRITEBYTECODE=1 \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /bin/bash /mnt/guest.sh
echo "guest: exit $?, up $(cut -d' ' -f1 /proc/uptime) s"
sync
poweroff -f
