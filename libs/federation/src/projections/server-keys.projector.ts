import type { RecordedFact } from '#event-store/event-store';
import type { ServerName } from '#kernel/ids';
import { asJson, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { evolveKnownKeys, type KnownKeys, NO_KEYS } from '../receive/known-keys.js';
import { readTold, SERVER_KEY_SHAPES, serverOfKeys } from '../facts/server-key-facts.js';

export const SERVER_KEY_ROWS = new Collection<readonly [server: ServerName], KnownKeys>('server-keys', {
  key: ['other server'],
  says: 'the keys that it signs with or signed with before, until when each is valid, and what it published of them',
  codec: asJson(),
});

/** The signing keys of other servers. */
export const serverKeysProjector: Projector = {
  name: 'server-keys',
  version: 2,
  ...owning(SERVER_KEY_ROWS),
  handles: (type) => Object.hasOwn(SERVER_KEY_SHAPES, type),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const server = serverOfKeys(fact.stream);
  const known = (await SERVER_KEY_ROWS.get(rows, [server])) ?? NO_KEYS;
  const after = evolveKnownKeys(known, readTold(fact));
  if (after !== known) SERVER_KEY_ROWS.put(rows, [server], after);
}
