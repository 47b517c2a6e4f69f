import { type AccountDataRow, parseAccountDataRow } from '#accounts/projections/account-data-row';
import { type AccountData, listAccountData, listChangedAccountData } from '#accounts/queries/account-data';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import type { AccountDataByRoom } from './sync-context.js';

const PAGE = 1_000;

export const NO_ACCOUNT_DATA: AccountDataByRoom = Object.freeze({ global: [], rooms: new Map() });

/** All account data of a user as of a position. What changed behind it is left out: it is new at the next look. */
export async function readAllAccountData(views: Views, userId: UserId, upTo: Position): Promise<AccountDataByRoom> {
  const global = await listAccountData(views, userId, undefined);
  const rooms = new Map<RoomId, AccountData[]>();
  let after: readonly string[] | undefined = [userId, '', '\u{10ffff}'];
  for (;;) {
    const page = await views.scan('account-data', { prefix: [userId], after, limit: PAGE });
    for (const { key, value } of page) {
      const row: AccountDataRow = parseAccountDataRow(value);
      if (row.position <= upTo) addTo(rooms, key[1] as RoomId, { type: key[2]!, ...row });
    }
    if (page.length < PAGE) break;
    after = page.at(-1)?.key;
  }
  return { global: global.filter(({ position }) => position <= upTo), rooms };
}

/** The account data of a user that changed behind `after` (exclusive) up to a position. */
export async function readChangedAccountData(
  views: Views,
  userId: UserId,
  after: Position,
  upTo: Position,
): Promise<AccountDataByRoom> {
  const changed = await listChangedAccountData(views, userId, { after, upTo });
  const rooms = new Map<RoomId, AccountData[]>();
  for (const data of changed) if (data.roomId !== undefined) addTo(rooms, data.roomId, data);
  return { global: changed.filter(({ roomId }) => roomId === undefined), rooms };
}

function addTo(rooms: Map<RoomId, AccountData[]>, roomId: RoomId, data: AccountData): void {
  const known = rooms.get(roomId);
  if (known === undefined) rooms.set(roomId, [data]);
  else known.push(data);
}
