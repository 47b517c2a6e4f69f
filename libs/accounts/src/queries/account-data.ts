import type { RoomId, UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Entry } from '#projections/collection';
import type { Views } from '#projections/views';
import { readPushRules } from '#push/queries/read-push-rules';
import {
  ACCOUNT_DATA,
  ACCOUNT_DATA_LOG,
  type AccountDataLogRow,
  type AccountDataRow,
} from '../projections/account-data-row.js';

/** One piece of account data: its content as JSON text, and the position of its last change. */
export interface AccountData extends AccountDataRow {
  readonly type: string;
}

/** A piece of account data and where it belongs: a room, or undefined for the account itself. */
export interface ChangedAccountData extends AccountData {
  readonly roomId: RoomId | undefined;
}

const PUSH_RULES = 'm.push_rules';

/** A piece of account data; undefined where the user has none of that type. `m.push_rules` is always there. */
export async function findAccountData(
  views: Pick<Views, 'get'>,
  userId: UserId,
  roomId: RoomId | undefined,
  type: string,
): Promise<AccountData | undefined> {
  const row = await ACCOUNT_DATA.get(views, [userId, roomId ?? '', type]);
  if (roomId === undefined && type === PUSH_RULES) return pushRules(views, userId, row?.position);
  return row && { type, ...row };
}

/** All account data of a room, or (undefined) of the account: the latter always with `m.push_rules`. */
export async function listAccountData(
  views: Pick<Views, 'get' | 'scan'>,
  userId: UserId,
  roomId: RoomId | undefined,
): Promise<AccountData[]> {
  const found: AccountData[] = [];
  for await (const page of ACCOUNT_DATA.pages(views, { prefix: [userId, roomId ?? ''] }))
    for (const { key, value } of page) found.push({ type: key[2], ...value });
  if (roomId !== undefined) return found;
  const rules = found.find((data) => data.type === PUSH_RULES);
  const others = found.filter((data) => data !== rules);
  return [...others, await pushRules(views, userId, rules?.position)];
}

/**
 * What changed of the user's account data after a position (`after`), up to `upTo` (inclusive) where it is given, in the
 * order of the last changes. Each piece is there once, with its newest content.
 */
export async function listChangedAccountData(
  views: Pick<Views, 'get' | 'getMany' | 'scan'>,
  userId: UserId,
  { after, upTo }: { readonly after: Position; readonly upTo?: Position },
): Promise<ChangedAccountData[]> {
  const to = upTo === undefined ? undefined : ([userId, upTo] as const);
  const changed: Entry<readonly [UserId, Position], AccountDataLogRow>[] = [];
  for await (const page of ACCOUNT_DATA_LOG.pages(views, { prefix: [userId], after: [userId, after], to }))
    changed.push(...page);
  if (changed.length === 0) return [];
  const rows = await ACCOUNT_DATA.getMany(
    views,
    changed.map(({ value: [room, type] }) => [userId, room, type]),
  );
  const found: ChangedAccountData[] = [];
  for (const [
    i,
    {
      key: [, position],
      value: [room, type],
    },
  ] of changed.entries()) {
    const data = rows[i];
    // Changed again later: in a store without transactions a crash can have kept the row of the earlier change.
    if (data?.position !== position) continue;
    const roomId = room === '' ? undefined : room;
    const isRules = roomId === undefined && type === PUSH_RULES;
    found.push(isRules ? { roomId, ...(await pushRules(views, userId, data.position)) } : { roomId, type, ...data });
  }
  return found;
}

/** The rules in force, last changed at `position`: never, where that is undefined. Their content is a view of its own. */
async function pushRules(
  views: Pick<Views, 'get'>,
  userId: UserId,
  position: Position | undefined = START,
): Promise<AccountData> {
  return { type: PUSH_RULES, position, content: JSON.stringify({ global: await readPushRules(views, userId) }) };
}
