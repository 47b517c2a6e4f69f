import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { userIdOfStream } from '#kernel/user-stream';
import { asMark, asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import type { AccountFact } from '../facts/account-facts.js';

type SessionKey = readonly [userId: UserId, provider: string, sidHash: string];

export const UPSTREAM_SESSIONS = new Collection<SessionKey, true>('upstream-sessions', {
  key: [
    'user',
    'provider of accounts',
    'sha256 of the id of a session there, or what stands for all of an account there',
  ],
  says: 'empty: they have shown there who they are',
  codec: asMark,
});

export const UPSTREAM_SESSION_OWNERS = new Collection<readonly [provider: string, sidHash: string], UserId>(
  'upstream-session-owners',
  {
    key: ['provider of accounts', 'sha256 of the id of a session there, or what stands for all of an account there'],
    says: 'the user who has shown there who they are',
    codec: asText(),
  },
);

const TYPES: ReadonlySet<string> = new Set<AccountFact['type']>([
  'upstream-session-begun',
  'upstream-sessions-ended',
  'account-deactivated',
]);

/** Whose sessions at providers of accounts are: of a log-out some providers say no more than which session it is of. */
export const upstreamSessionsProjector: Projector = {
  name: 'upstream-sessions',
  version: 2,
  ...owning(UPSTREAM_SESSIONS, UPSTREAM_SESSION_OWNERS),
  handles: (type) => TYPES.has(type),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfStream(fact.stream);
  const { type, data } = { type: fact.type, data: JSON.parse(fact.data) as unknown } as AccountFact;
  if (type === 'upstream-session-begun') {
    const { provider, sid_hash: sidHash } = data;
    UPSTREAM_SESSIONS.put(rows, [userId, provider, sidHash], true);
    UPSTREAM_SESSION_OWNERS.put(rows, [provider, sidHash], userId);
  }
  if (type === 'upstream-sessions-ended') {
    const { provider, sid_hash: sidHash } = data;
    if (sidHash === undefined) await endAll(rows, [userId, provider]);
    else await end(rows, [userId, provider, sidHash]);
  }
  if (type === 'account-deactivated') await endAll(rows, [userId]);
}

async function endAll(rows: OwnRows, prefix: readonly [UserId] | readonly [UserId, string]): Promise<void> {
  for await (const page of UPSTREAM_SESSIONS.pages(rows, { prefix })) for (const { key } of page) await end(rows, key);
}

/** Somebody else may have shown in it by now who they are. */
async function end(rows: OwnRows, key: SessionKey): Promise<void> {
  const [userId, ...session] = key;
  UPSTREAM_SESSIONS.delete(rows, key);
  if ((await UPSTREAM_SESSION_OWNERS.get(rows, session)) === userId) UPSTREAM_SESSION_OWNERS.delete(rows, session);
}
