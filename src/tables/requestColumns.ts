/**
 * Columns of the `requests` table, the same of a study, of an exported run and of a replay.
 */

import { isLocal, type Placement, took } from '../run/placement.js';
import type { TableColumn } from './parquet.js';

export const requestColumns: readonly TableColumn<Placement>[] = [
  { name: 'request', type: 'STRING', of: ({ name }) => name },
  { name: 'device', type: 'STRING', of: ({ device }) => device },
  { name: 'sequence', type: 'INT32', of: ({ sequence }) => sequence },
  { name: 'node', type: 'INT32', of: ({ node }) => node },
  { name: 'mode', type: 'STRING', of: ({ mode }) => mode },
  { name: 'size', type: 'DOUBLE', of: ({ bytes }) => bytes },
  { name: 'gfp', type: 'STRING', of: ({ gfp }) => gfp },
  { name: 'asked_ns', type: 'DOUBLE', of: ({ issued }) => issued },
  // Null, as all times, if the run ended before.
  { name: 'took_ns', type: 'DOUBLE', of: took },
  // `from` is a word of SQL.
  { name: 'served_from', type: 'STRING', of: ({ source }) => source },
  { name: 'role', type: 'STRING', of: ({ role }) => role },
  { name: 'nid', type: 'INT32', of: ({ nid }) => nid },
  { name: 'local', type: 'BOOLEAN', of: isLocal },
  { name: 'pfn', type: 'DOUBLE', of: ({ pfn }) => pfn },
  { name: 'pages', type: 'INT32', of: ({ pages }) => pages },
  { name: 'attempts', type: 'INT32', of: ({ attempts }) => attempts.length },
  { name: 'freed_ns', type: 'DOUBLE', of: ({ freed }) => freed },
];
