import type { RoomId, UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import { scanPages } from '#projections/scan-pages';
import type { Views } from '#projections/views';
import { readPushRules } from '#push/queries/read-push-rules';
import type { Row } from '#read-models/read-model-store';
import { type AccountDataLogRow, type AccountDataRow, parseAccountDataRow } from '../projections/account-data-row.js';

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
  const text = await views.get('account-data', [userId, roomId ?? '', type]);
  if (roomId === undefined && type === PUSH_RULES)
    return pushRules(views, userId, text === undefined ? undefined : parseAccountDataRow(text).position);
  return text === undefined ? undefined : { type, ...parseAccountDataRow(text) };
}

/** All account data of a room, or (undefined) of the account: the latter always with `m.push_rules`. */
export async function listAccountData(
  views: Pick<Views, 'get' | 'scan'>,
  userId: UserId,
  roomId: RoomId | undefined,
): Promise<AccountData[]> {
  const found: AccountData[] = [];
  for await (const page of scanPages(views, 'account-data', { prefix: [userId, roomId ?? ''] }))
    for (const { key, value } of page) found.push({ type: key[2]!, ...parseAccountDataRow(value) });
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
  const to = upTo === undefined ? undefined : [userId, upTo];
  const rows: Row[] = [];
  for await (const page of scanPages(views, 'account-data-log', { prefix: [userId], after: [userId, after], to }))
    rows.push(...page);
  if (rows.length === 0) return [];
  const changed = rows.map(({ value }) => JSON.parse(value) as AccountDataLogRow);
  const texts = await views.getMany(
    'account-data',
    changed.map(([room, type]) => [userId, room, type]),
  );
  const found: ChangedAccountData[] = [];
  for (const [i, [room, type]] of changed.entries()) {
    const text = texts[i];
    if (text === undefined) continue;
    const data = parseAccountDataRow(text);
    // Changed again later: in a store without transactions a crash can have kept the row of the earlier change.
    if (data.position !== rows[i]!.key[1]) continue;
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
