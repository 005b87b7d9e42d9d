/**
 * `cmasim capture`: prints the shell script that makes an archive of what import can use of a
 * server.
 *
 * POSIX sh with cat, cp, tar and what coreutils or busybox have; nothing is installed or changed.
 * What cannot be read (most of debugfs, addresses in iomem, without root) is named and left out.
 */

import { Command } from 'commander';
import { print } from './output.js';

export function captureCommand(): Command {
  return new Command('capture')
    .summary('print a script that captures a server for import')
    .description(
      'Prints a POSIX shell script. Run on a server, best as root, it writes one archive with ' +
        'nodes, zones, free blocks, the memory map, CMA areas with their bitmaps, and PCI ' +
        'devices: ' +
        'cmasim capture | ssh root@server sh -s > server.tar.gz',
    )
    .action(() => print(captureScript));
}

/**
 * The archive goes to the first argument, or to standard output when that is no terminal. Paths in
 * it are those of the server, below one directory, so that it can be read by eye too.
 */
export const captureScript = `#!/bin/sh
# Captures what cmasim import can use of this machine. Changes nothing; best run as root.
# Usage: sh capture.sh [ARCHIVE.tar.gz]; without a name the archive goes to standard output.
set -u
LC_ALL=C
export LC_ALL

if [ $# -eq 0 ] && [ -t 1 ]; then
  set -- "cmasim-$(uname -n)-$(date +%Y%m%d-%H%M%S).tar.gz"
fi
work=$(mktemp -d "\${TMPDIR:-/tmp}/cmasim.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
top="$work/cmasim-capture"
mkdir "$top" || exit 2
missing=

# Files of proc and sysfs have no size: they are read with cat, not copied.
take() {
  for file in "$@"; do
    [ -f "$file" ] || continue
    mkdir -p "$top\${file%/*}"
    if ! cat "$file" > "$top$file" 2>/dev/null; then
      rm -f "$top$file"
      missing="$missing $file"
    fi
  done
}

for file in zoneinfo buddyinfo pagetypeinfo iomem meminfo vmstat cmdline; do
  if [ -r "/proc/$file" ]; then take "/proc/$file"; else missing="$missing /proc/$file"; fi
done
take /sys/devices/system/node/online /sys/devices/system/node/possible
for node in /sys/devices/system/node/node[0-9]*; do
  take "$node/cpulist" "$node/cpumap" "$node/distance" "$node/meminfo"
done
for area in /sys/kernel/mm/cma/*; do
  take "$area"/*
done
if ls /sys/kernel/debug/cma > /dev/null 2>&1; then
  for area in /sys/kernel/debug/cma/*; do
    for name in base_pfn count order_per_bit used maxchunk bitmap; do
      take "$area/$name"
    done
    for range in "$area"/ranges/*; do
      take "$range/base_pfn" "$range/bitmap"
    done
  done
else
  missing="$missing /sys/kernel/debug/cma"
fi

uname -a > "$top/uname.txt" 2>/dev/null
getconf PAGESIZE > "$top/pagesize" 2>/dev/null || rm -f "$top/pagesize"
{ dmesg || journalctl -k -b --no-pager || cat /var/log/dmesg; } > "$top/dmesg.txt" 2>/dev/null
grep -q 'Linux version' "$top/dmesg.txt" || missing="$missing dmesg(boot)"
[ -s "$top/dmesg.txt" ] || rm -f "$top/dmesg.txt"
numactl -H > "$top/numactl-H.txt" 2>/dev/null || rm -f "$top/numactl-H.txt"
lstopo-no-graphics --of xml > "$top/lstopo.xml" 2>/dev/null || rm -f "$top/lstopo.xml"
{ zcat /proc/config.gz || cat "/boot/config-$(uname -r)"; } 2>/dev/null |
  grep -E 'CMA|NUMA|NODES_SHIFT|PAGE_SHIFT|IOMMU' > "$top/config.txt"
[ -s "$top/config.txt" ] || rm -f "$top/config.txt"

one() {
  value=
  if [ -r "$1" ]; then read -r value < "$1"; fi 2>/dev/null
  printf '%s' "$value"
}
link() {
  if [ -L "$1" ]; then target=$(readlink "$1") && printf '%s' "\${target##*/}"; fi
}
for device in /sys/bus/pci/devices/*; do
  [ -d "$device" ] || continue
  printf '%s node=%s class=%s vendor=%s device=%s driver=%s ' \\
    "\${device##*/}" "$(one "$device/numa_node")" "$(one "$device/class")" \\
    "$(one "$device/vendor")" "$(one "$device/device")" "$(link "$device/driver")"
  printf 'iommu_group=%s iommu_type=%s dma_mask=%s/%s\\n' \\
    "$(link "$device/iommu_group")" "$(one "$device/iommu_group/type")" \\
    "$(one "$device/dma_mask_bits")" "$(one "$device/consistent_dma_mask_bits")"
done > "$top/pci-devices.txt"
[ -s "$top/pci-devices.txt" ] || rm -f "$top/pci-devices.txt"

for what in $missing; do
  echo "cmasim capture: not readable, left out: $what" >&2
done
if [ $# -eq 0 ]; then
  tar -cf - -C "$work" cmasim-capture | gzip -c
else
  tar -cf - -C "$work" cmasim-capture | gzip -c > "$1" && echo "$1"
fi
`;
