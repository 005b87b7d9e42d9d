/** Bitmaps as a reader of a test sees them. */
import { type Bitmap, bitmapTest } from '#cmasim/mm/alloc/bitmap.js';

/** `XX..X`: one character per bit, X for a set one. */
export function bitmapDraw(map: Bitmap): string {
  let drawing = '';
  for (let i = 0; i < map.size; i++) drawing += bitmapTest(map, i) === 1 ? 'X' : '.';
  return drawing;
}
