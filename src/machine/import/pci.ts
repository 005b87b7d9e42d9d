/**
 * Devices: node, DMA masks, IOMMU domain, from the list a capture makes, or from
 * /sys/bus/pci/devices.
 */
import type { DeviceFacts, Facts } from './facts.js';

/** `0000:21:00.0 node=0 class=0x010802 … iommu_type=DMA dma_mask=64/64`, one device per line. */
export function importDeviceList(facts: Facts, text: string, file: string): void {
  for (const line of text.split('\n')) {
    const match = /^(\S+) (node=.*)$/.exec(line);
    if (match === null) continue;
    const device = facts.device(match[1]);
    for (const [, key, value] of match[2].matchAll(/([a-z_]+)=(\S*)/g)) {
      deviceField(device, key!, value!);
    }
    facts.from('devices', file);
  }
}

function deviceField(device: DeviceFacts, key: string, value: string): void {
  switch (key) {
    case 'node':
    case 'numa_node':
      if (/^-?\d+$/.test(value)) device.node = Number(value);
      break;
    case 'class':
      device.pciClass = value;
      break;
    case 'vendor':
      device.vendor = value;
      break;
    case 'device':
      device.device = value;
      break;
    case 'driver':
      device.driver = value;
      break;
    case 'iommu_group':
      device.iommuGroup = value;
      break;
    case 'iommu_type':
      device.iommuType = value;
      break;
    case 'dma_mask': {
      const [dma, coherent] = value.split('/').map((bits) => Number.parseInt(bits, 10));
      device.dmaMask = dma || 0;
      device.coherentMask = coherent || device.coherentMask;
      break;
    }
    case 'dma_mask_bits':
      device.dmaMask = Number.parseInt(value, 10) || 0;
      break;
    case 'consistent_dma_mask_bits':
      device.coherentMask = Number.parseInt(value, 10) || 0;
      break;
  }
}

/** One attribute of /sys/bus/pci/devices/NAME. */
export function importPciAttribute(
  facts: Facts,
  { name, key, value, file }: { name: string; key: string; value: string; file: string },
): void {
  const known = /^(?:numa_node|class|vendor|device|dma_mask_bits|consistent_dma_mask_bits)$/.test(
    key,
  );
  if (!known) return;
  deviceField(facts.device(name), key, value.trim());
  facts.from('devices', file);
}
