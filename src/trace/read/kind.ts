/**
 * Kind of an input, operation file or recorded trace, told from how it begins.
 */
import { constants, gunzipSync } from 'node:zlib';
import { chunksOf, emptyFile, inputName } from '../../files/read.js';

const HEAD = 1 << 16;

/** Operation files are JSON Lines; the one other text that begins with a brace is perf's JSON. */
export async function isOperationFile(file: string): Promise<boolean> {
  const bytes = await (file === '-' ? headOfStdin() : headOf(file));
  if (bytes.length === 0) throw emptyFile(inputName(file), 'a recording');
  const head = plainText(bytes);
  return /^\s*\{/.test(head) && !head.includes('linux-perf-json-version');
}

async function headOf(file: string): Promise<Uint8Array> {
  for await (const chunk of chunksOf(file)) return chunk;
  return new Uint8Array(0);
}

/** The first bytes, put back for whoever reads the input. */
async function headOfStdin(): Promise<Uint8Array> {
  const { stdin } = process;
  const bytes = await new Promise<Buffer | null>((resolve) => {
    const take = (): void => {
      stdin.off('end', take);
      stdin.off('readable', take);
      resolve(stdin.read() as Buffer | null);
    };
    stdin.once('readable', take);
    stdin.once('end', take);
  });
  if (bytes === null) return new Uint8Array(0);
  stdin.unshift(bytes);
  return bytes;
}

function plainText(bytes: Uint8Array): string {
  const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
  try {
    const plain = isPacked ? gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }) : bytes;
    return Buffer.from(plain.subarray(0, HEAD)).toString('latin1');
  } catch {
    return '';
  }
}
