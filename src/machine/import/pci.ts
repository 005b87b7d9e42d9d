/**
 * Devices: node, DMA masks, IOMMU domain, from the list a capture makes, or from
 * /sys/bus/pci/devices.
 */
import type { Attribute, DeviceFacts, Facts } from './facts.js';

const bits = (value: string): number => Number.parseInt(value, 10) || 0;

function numaNode(device: DeviceFacts, value: string): void {
  if (/^-?\d+$/.test(value)) device.node = Number(value);
}

type Setter = (device: DeviceFacts, value: string) => void;

/** Attributes that sysfs has as a file of each device. */
const attributes: ReadonlyMap<string, Setter> = new Map<string, Setter>([
  ['numa_node', numaNode],
  ['class', (device, value) => (device.pciClass = value)],
  ['vendor', (device, value) => (device.vendor = value)],
  ['device', (device, value) => (device.device = value)],
  ['dma_mask_bits', (device, value) => (device.dmaMask = bits(value))],
  ['consistent_dma_mask_bits', (device, value) => (device.coherentMask = bits(value))],
]);

/** Fields of a captured list: the attributes, and what stands behind links. */
const listed: ReadonlyMap<string, Setter> = new Map<string, Setter>([
  ...attributes,
  ['node', numaNode],
  ['driver', (device, value) => (device.driver = value)],
  ['iommu_group', (device, value) => (device.iommuGroup = value)],
  ['iommu_type', (device, value) => (device.iommuType = value)],
  [
    'dma_mask',
    (device, value) => {
      const [dma, coherent = ''] = value.split('/');
      device.dmaMask = bits(dma);
      device.coherentMask = bits(coherent) || device.coherentMask;
    },
  ],
]);

/** `0000:21:00.0 node=0 class=0x010802 … iommu_type=DMA dma_mask=64/64`, one device per line. */
export function importDeviceList(facts: Facts, text: string, file: string): void {
  for (const [, name, fields] of text.matchAll(/^(\S+) (node=.*)$/gm)) {
    const device = facts.device(name);
    for (const [, key, value] of fields.matchAll(/([a-z_]+)=(\S*)/g)) {
      listed.get(key)?.(device, value);
    }
    facts.from('devices', file);
  }
}

/** One attribute of /sys/bus/pci/devices/NAME. */
export function importPciAttribute(facts: Facts, { name, key, value, file }: Attribute): void {
  const set = attributes.get(key);
  if (set === undefined) return;
  set(facts.device(name), value.trim());
  facts.from('devices', file);
}
