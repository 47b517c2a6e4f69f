import { owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, UserId } from '#kernel/ids';
import { type JsonObject, isJsonObject } from '#kernel/json';
import { isPushRuleFactType } from '#push/facts/push-rule-facts';
import { userIdOfStream } from '#kernel/user-stream';
import type { AccountFact } from '../facts/account-facts.js';
import { ACCOUNT_DATA, ACCOUNT_DATA_LOG } from './account-data-row.js';

const BATCH = 500;

const TYPES: ReadonlySet<string> = new Set<AccountFact['type']>([
  'account-data-set',
  'tag-set',
  'tag-removed',
  'account-deactivated',
]);

/**
 * `account-data` and `account-data-log`. Each piece of data has exactly one row in the log, at its last change, so a scan
 * behind a token finds what is new and nothing twice. Tags are the room's data of the type `m.tag`. Of push rules only the
 * log's row is here (type `m.push_rules`, no room, with no content beside it): the rules are a view of their own.
 */
export const accountDataProjector: Projector = {
  name: 'account-data',
  version: 1,
  ...owning(ACCOUNT_DATA, ACCOUNT_DATA_LOG),
  handles: (type) => TYPES.has(type) || isPushRuleFactType(type),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const user = userIdOfStream(fact.stream);
  if (isPushRuleFactType(fact.type)) return put(fact, rows, '', 'm.push_rules', '');
  const { type, data } = { type: fact.type, data: JSON.parse(fact.data) as unknown } as AccountFact;
  switch (type) {
    case 'account-data-set':
      return put(fact, rows, data.room_id ?? '', data.type, JSON.stringify(data.content));
    case 'tag-set':
      return changeTags(fact, rows, data.room_id, (tags) => tags.set(data.tag, data.content));
    case 'tag-removed':
      return changeTags(fact, rows, data.room_id, (tags) => tags.delete(data.tag));
    case 'account-deactivated':
      return data.erase ? erase(rows, user) : undefined;
    default:
  }
}

async function put(
  fact: RecordedFact,
  rows: OwnRows,
  roomId: RoomId | '',
  type: string,
  content: string,
): Promise<void> {
  const user = userIdOfStream(fact.stream);
  const before = await ACCOUNT_DATA.get(rows, [user, roomId, type]);
  if (before !== undefined) ACCOUNT_DATA_LOG.delete(rows, [user, before.position]);
  ACCOUNT_DATA.put(rows, [user, roomId, type], { position: fact.position, content });
  ACCOUNT_DATA_LOG.put(rows, [user, fact.position], [roomId, type]);
}

async function changeTags(
  fact: RecordedFact,
  rows: OwnRows,
  roomId: RoomId,
  change: (tags: Map<string, unknown>) => void,
): Promise<void> {
  const before = await ACCOUNT_DATA.get(rows, [userIdOfStream(fact.stream), roomId, 'm.tag']);
  const content = before === undefined ? {} : (JSON.parse(before.content) as JsonObject);
  const tags = new Map<string, unknown>(isJsonObject(content['tags']) ? Object.entries(content['tags']) : []);
  change(tags);
  // One order of keys, whatever was set first: rebuilt rows are compared as text.
  const sorted = [...tags].toSorted(([a], [b]) => (a < b ? -1 : 1));
  await put(fact, rows, roomId, 'm.tag', JSON.stringify({ tags: Object.fromEntries(sorted) }));
}

async function erase(rows: OwnRows, user: UserId): Promise<void> {
  for await (const page of ACCOUNT_DATA.pages(rows, { prefix: [user] }, BATCH))
    for (const { key } of page) ACCOUNT_DATA.delete(rows, key);
  for await (const page of ACCOUNT_DATA_LOG.pages(rows, { prefix: [user] }, BATCH))
    for (const { key } of page) ACCOUNT_DATA_LOG.delete(rows, key);
}
