import type { LogHistory } from '#event-store/log-history';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';
import type { GroupKey } from './parse-search.js';

/** A group of results. */
export interface Group {
  readonly by: GroupKey;
  readonly value: string;
}

/** Where a page of results ended. */
export interface SearchPlace {
  /** Up to where the log was looked at: what came since is on no later page. */
  readonly upTo: Position;
  /** How many results of the search, or of the group, came before. */
  readonly offset: number;
  readonly group?: Group;
}

const MAX_OFFSET = 1_000_000;

/** `next_batch` of a search, or of a group of its results. */
export function formatSearchPlace(history: LogHistory, { upTo, offset, group }: SearchPlace): string {
  const parts = [history.format(upTo), offset, ...(group === undefined ? [] : [group.by, group.value])];
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** Reads what `formatSearchPlace` wrote; a place that was lost is that of now. Throws M_INVALID_PARAM. */
export function parseSearchPlace(history: LogHistory, text: string, now: Position): SearchPlace {
  const [placed, offset, by, value] = partsOf(text);
  const settled = typeof placed === 'string' ? history.find(placed) : undefined;
  const isOffset = Number.isSafeInteger(offset) && (offset as number) >= 0 && (offset as number) <= MAX_OFFSET;
  if (settled === undefined || typeof settled.place !== 'string' || !isOffset) throw noToken();
  const place = { upTo: settled.isLost ? now : settled.place, offset: offset as number };
  if (by === undefined) return place;
  if ((by !== 'room_id' && by !== 'sender') || typeof value !== 'string') throw noToken();
  return { ...place, group: { by, value } };
}

function partsOf(text: string): readonly unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    return Array.isArray(parts) ? (parts as readonly unknown[]) : [];
  } catch {
    return [];
  }
}

function noToken(): MatrixError {
  return new MatrixError('M_INVALID_PARAM', 'next_batch: not a token of this server');
}
