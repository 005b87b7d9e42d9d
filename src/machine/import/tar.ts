/**
 * Reader of a tar archive held in memory: ustar, GNU long names and pax paths, regular files only.
 *
 * A captured server is a few MB. A damaged archive gives the files before the damage and says so.
 */
const BLOCK = 512;

interface TarFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface TarContent {
  readonly files: readonly TarFile[];
  /** Empty, or what is wrong with the archive. */
  readonly damage: string;
}

const text = (bytes: Uint8Array): string => {
  const zero = bytes.indexOf(0);
  return Buffer.from(zero < 0 ? bytes : bytes.subarray(0, zero)).toString('utf8');
};

const octal = (bytes: Uint8Array): number => Number.parseInt(text(bytes).trim() || '0', 8);

/** True when the bytes begin with a tar header: its checksum holds. */
export function isTar(bytes: Uint8Array): boolean {
  return bytes.length >= BLOCK && checksumHolds(bytes.subarray(0, BLOCK));
}

function checksumHolds(header: Uint8Array): boolean {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : header[i];
  return sum === octal(header.subarray(148, 156));
}

export function readTar(bytes: Uint8Array): TarContent {
  const files: TarFile[] = [];
  let longName = '';
  let at = 0;
  while (at + BLOCK <= bytes.length) {
    const header = bytes.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) return { files, damage: '' };
    if (!checksumHolds(header)) return { files, damage: `wrong checksum at byte ${at}` };
    const size = octal(header.subarray(124, 136));
    const from = at + BLOCK;
    if (!(size >= 0) || from + size > bytes.length) {
      return { files, damage: `breaks off at byte ${bytes.length}` };
    }
    const content = bytes.subarray(from, from + size);
    const type = String.fromCharCode(header[156]);
    if (type === 'L') longName = text(content);
    else if (type === 'x') longName = paxPath(content) || longName;
    else {
      if (type === '0' || type === '\0')
        files.push({ path: longName || name(header), bytes: content });
      longName = '';
    }
    at = from + Math.ceil(size / BLOCK) * BLOCK;
  }
  return { files, damage: at === bytes.length ? '' : `breaks off at byte ${bytes.length}` };
}

function name(header: Uint8Array): string {
  const own = text(header.subarray(0, 100));
  const ustar = text(header.subarray(257, 263)).startsWith('ustar');
  const prefix = ustar ? text(header.subarray(345, 500)) : '';
  return prefix === '' ? own : `${prefix}/${own}`;
}

/** `30 path=some/name\n` */
function paxPath(content: Uint8Array): string {
  return /^\d+ path=(.*)$/m.exec(Buffer.from(content).toString('utf8'))?.[1] ?? '';
}
