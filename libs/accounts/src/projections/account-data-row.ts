import type { RoomId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';

/** The length of a position's text. */
const POSITION_LENGTH = START.length;

/**
 * `account-data` [user, room id or '', type]: the position of the last change, then the content's JSON text. Whoever only
 * passes the content on parses nothing.
 */
export interface AccountDataRow {
  readonly position: Position;
  readonly content: string;
}

/** The row's text. */
export function formatAccountDataRow(row: AccountDataRow): string {
  return row.position + row.content;
}

/** The row behind a text that `formatAccountDataRow` made. */
export function parseAccountDataRow(text: string): AccountDataRow {
  return { position: text.slice(0, POSITION_LENGTH) as Position, content: text.slice(POSITION_LENGTH) };
}

/** `account-data-log` [user, position]: which piece of account data changed last at this position. */
export type AccountDataLogRow = readonly [roomId: RoomId | '', type: string];
