/**
 * Numbers as the kernel reads them: memparse() of lib/cmdline.c over simple_strtoull(),
 * kstrtobool().
 *
 * 64 bits, wrapping, as there; `0x` needs a hexadecimal digit after it, a leading zero means octal,
 * one suffix of K M G T P E in either case, what follows is left to the caller.
 */

const u64 = 64;

export interface Memparse {
  /** Bytes; exact up to 2^53, then the nearest double. */
  readonly value: number;
  /** The 64 bits were all ones: (phys_addr_t)-1, which some variables take for "not given". */
  readonly isMinusOne: boolean;
  /** The number did not fit into 64 bits and lost its upper ones. */
  readonly wrapped: boolean;
  /** What was not read. */
  readonly rest: string;
}

function radix(text: string): { base: bigint; digits: RegExp; from: number } {
  if (/^0x[0-9a-f]/i.test(text)) return { base: 16n, digits: /^[0-9a-f]*/i, from: 2 };
  if (text.startsWith('0')) return { base: 8n, digits: /^[0-7]*/, from: 0 };
  return { base: 10n, digits: /^[0-9]*/, from: 0 };
}

/** memparse(): never fails; text that is no number is 0. */
export function memparse(text: string): Memparse {
  const { base, digits, from } = radix(text);
  const read = digits.exec(text.slice(from))![0];
  let value = 0n;
  for (const digit of read) value = value * base + BigInt(Number.parseInt(digit, 16));
  let rest = text.slice(from + read.length);
  const power = rest === '' ? -1 : 'KMGTPE'.indexOf(rest[0].toUpperCase());
  if (power >= 0) {
    value <<= 10n * BigInt(power + 1);
    rest = rest.slice(1);
  }
  const kept = BigInt.asUintN(u64, value);
  return {
    value: Number(kept),
    isMinusOne: kept === 2n ** 64n - 1n,
    wrapped: kept !== value,
    rest,
  };
}

/** kstrtobool(); null: -EINVAL. */
export function kstrtobool(text: string): boolean | null {
  if (/^[yYtT1]/.test(text) || /^o[nN]/i.test(text)) return true;
  if (/^[nNfF0]/.test(text) || /^o[fF]/i.test(text)) return false;
  return null;
}
