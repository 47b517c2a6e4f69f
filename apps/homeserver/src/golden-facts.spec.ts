import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERASURES_STREAM } from '#admin/facts/erasure-facts';
import { evolveErasures, NO_ERASURES } from '#admin/erasures/erasures';
import { PURGES_STREAM } from '#admin/facts/purge-facts';
import { evolvePurges, NO_PURGES } from '#admin/purges/room-purges';
import { REPORTS_STREAM } from '#admin/facts/report-facts';
import { listReports } from '#admin/reports/reports';
import { SERVICE_PREFIX, serviceAfter } from '#appservices/facts/service-facts';
import { NO_ACCOUNT } from '#accounts/decide/account';
import { foldAuthNote, listNotes, NO_NOTES } from '#accounts/decide/auth-notes';
import { type Claim, evolveClaim } from '#accounts/decide/decide-external-ids';
import { foldAccountFact, foldRegistrationTokenFact } from '#accounts/decide/fold-facts';
import { NO_REGISTRATION_TOKEN } from '#accounts/decide/registration-token';
import { AUTH_NOTES_STREAM } from '#accounts/facts/auth-note-facts';
import { evolveHolder } from '#accounts/threepids/threepid-claims';
import { foldDeviceKeyFact, NO_KEYS } from '#devices/decide/keys-of-device';
import { EMPTY_BACKUP, foldBackup } from '#devices/decide/backup-state';
import { foldBackupVersions, NO_VERSIONS } from '#devices/decide/backup-versions';
import { foldTaken, NOTHING_TAKEN } from '#devices/decide/last-taken';
import { foldSent, NOTHING_SENT } from '#devices/decide/sent-transactions';
import { BACKUP_STREAM_PREFIX } from '#devices/facts/backup-facts';
import { foldRemoteDeviceFact, type RemoteDevices } from '#devices/decide/remote-devices';
import { REMOTE_DEVICES_PREFIX } from '#devices/facts/remote-device-facts';
import { DEVICE_STREAM_PREFIX } from '#devices/facts/device-key-facts';
import { INBOX_STREAM_PREFIX, SENT_STREAM_PREFIX } from '#devices/facts/to-device-facts';
import { keptIn, PRESENCE_STREAM_PREFIX } from '#ephemeral/facts/presence-facts';
import { SUBSCRIPTIONS_STREAM_PREFIX } from '#ephemeral/facts/subscription-facts';
import { presenceListsProjector } from '#ephemeral/projections/presence-lists.projector';
import { evolveAlias, NO_ALIAS } from '#directory/aliases';
import { evolveNetwork } from '#directory/commands/list-in-network';
import { NETWORK_PREFIX } from '#directory/facts/network-facts';
import { evolveWaiting, INBOUND_STREAM, NOBODY_WAITS } from '#federation/facts/inbound-facts';
import { ORIGIN_STREAM_PREFIX, readTransaction } from '#federation/facts/origin-facts';
import { readRefused, REFUSALS_STREAM_PREFIX } from '#federation/facts/refusal-facts';
import { behindAfter, DESTINATION_PREFIX } from '#federation/facts/destination-facts';
import { readTold, SERVER_KEYS_PREFIX } from '#federation/facts/server-key-facts';
import { evolveKnownKeys, NO_KEYS as NO_SERVER_KEYS } from '#federation/receive/known-keys';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, ServerName } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { evolveContent, NOTHING_DECIDED } from '#media/decide/content';
import { evolveMedia, NO_MEDIA } from '#media/decide/media';
import { MEDIA_STREAM_PREFIX } from '#media/facts/media-facts';
import { newestSchema } from '#event-store/fact-shapes';
import { LogHistory } from '#event-store/log-history';
import { findLogIdentity, SERVER_STREAM } from '#event-store/log-identity';
import { sealFacts, type UnsealedFact } from '#event-store/seal-facts';
import { TodaysEventStore } from '#event-store/todays-event-store';
import { foldDelayFact, NO_DELAYS } from '#calls/decide/known-delays';
import { DELAYED_STREAM_PREFIX } from '#calls/facts/delayed-event-facts';
import { FACT_SHAPES } from '#processes/fact-shapes';
import { evolveRetention, NO_RULES } from '#processes/retention/rule-retention';
import { RETENTION_STREAM } from '#rooms/facts/retention-facts';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import { CLOCK_STREAM } from '#projections/clock-facts';
import { EFFECTS_STREAM, evolveEffects, NO_EFFECTS } from '#projections/effects/effect-facts';
import { FORGOTTEN_STREAM } from '#projections/forgotten-facts';
import { findForgotten } from '#projections/forgotten-marks';
import { foldSignIn, NO_SIGN_INS } from '#oauth/decide/sign-ins';
import { SIGN_INS_STREAM_PREFIX } from '#oauth/facts/sign-in-facts';
import { PUSHERS_STREAM_PREFIX } from '#push/facts/pusher-facts';
import { foldContactFact, NO_BOOK } from '#contacts/decide/known-book';
import { foldAssociation, NO_HOLDER } from '#identity/decide/association';
import { foldStoredInvite, NO_INVITES } from '#identity/decide/invites';
import { foldBinding, NO_BINDINGS } from '#identity/decide/bindings';
import { foldIdentityAccount, NO_IDENTITY_ACCOUNT } from '#identity/decide/identity-account';
import {
  ASSOCIATION_PREFIX,
  BINDINGS_PREFIX,
  ENDED_ASSOCIATION_PREFIX,
  IDENTITY_ACCOUNT_PREFIX,
  IDENTITY_PEER_PREFIX,
  PEPPER_STREAM,
} from '#identity/facts/identity-facts';
import { STORED_INVITES_PREFIX } from '#identity/facts/stored-invite-facts';
import { CONTACTS_STREAM_PREFIX } from '#contacts/facts/contact-facts';
import { foldPusherFact, NO_PUSHERS } from '#push/pushers/known-pushers';
import { NO_CHANGES } from '#push/rules/push-rule-changes';
import { foldPushRuleFact } from '#push/rules/fold-push-rules';
import { type AuditEntry, auditRoom } from '#rooms/audit/audit-room';
import { peopleOf } from '#rooms/audit/people';
import { readRoomFact } from '#rooms/facts/read-room-fact';
import { ROOM_STREAM_PREFIX, roomIdOfStream } from '#rooms/facts/room-facts';
import { ELSEWHERE_STREAM_PREFIX } from '#rooms/facts/elsewhere-facts';
import { evolveHeld, NOTHING_HELD } from '#rooms/commands/held-invitations';
import { HELD_STREAM_PREFIX } from '#rooms/facts/held-invitation-facts';
import { membershipProjector } from '#rooms/projections/membership.projector';
import { THREADS_STREAM_PREFIX } from '#rooms/facts/thread-subscription-facts';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { threadSubscriptionsProjector } from '#rooms/projections/thread-subscriptions.projector';
import { SLIDING_STREAM_PREFIX } from '#sync/facts/sliding-facts';
import { foldConnections, NO_CONNECTIONS, sumUp } from '#sync/sliding/device-connections';
import { WantedState } from '#sync/sliding/wanted-state';
import { project } from '#testing/project';
import { MemoryEventStore } from '#testing/memory-event-store';

/*
 * A fact of every type in every schema it ever had, `type.schema.json`, as a log holds it, and beside it what it is read as,
 * `type.schema.read.json`. A fact's file is never changed: a new shape gets a new schema, an upcaster and a file. What it is read as
 * changes only where the code that reads wants it in other words.
 */
const FOLDER = new URL('../golden/', import.meta.url);

/** A fact without its place in the log. */
interface GoldenFact extends UnsealedFact {
  readonly schema: number;
  readonly stream: string;
}

const filesEndingIn = (ending: RegExp): string[] =>
  readdirSync(FOLDER)
    .filter((name) => ending.test(name))
    .map((name) => name.replace(ending, ''));
const names = filesEndingIn(/(?<=\.\d+)\.json$/);
const readings = filesEndingIn(/\.read\.json$/);

function golden(name: string): GoldenFact {
  return JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8')) as GoldenFact;
}

/** Of the log in which some of these facts are. */
const PUT_BACK_ONCE = new LogHistory([{ name: '0a1b2c3d', agreed: '0000000000000004000' as Position }]);

/** What has to be in a stream before most other facts mean something. */
const FIRST: readonly (readonly [prefix: string, names: readonly string[]])[] = [
  [THREADS_STREAM_PREFIX, ['thread-subscribed.1']],
  [SUBSCRIPTIONS_STREAM_PREFIX, ['subscription-asked.1', 'watcher-asked.1']],
  [HELD_STREAM_PREFIX, ['invitation-held.1']],
  [PUSHERS_STREAM_PREFIX, ['pusher-set.1']],
  [CONTACTS_STREAM_PREFIX, ['contact-put.1']],
  [IDENTITY_ACCOUNT_PREFIX, ['identity-token-issued.1']],
  [ASSOCIATION_PREFIX, ['association-made.1']],
  [BINDINGS_PREFIX, ['binding-noted.1']],
  [STORED_INVITES_PREFIX, ['invite-stored.1']],
  [DELAYED_STREAM_PREFIX, ['event-delayed.1']],
  [SIGN_INS_STREAM_PREFIX, ['browser-signed-in.1', 'access-granted.1', 'key-reset-allowed.1']],
  [ELSEWHERE_STREAM_PREFIX, []],
  ['user-', ['account-registered.1', 'device-added.1', 'push-rule-set.1']],
  ['registration-token-', ['registration-token-created.1']],
  ['threepid-', ['threepid-claimed.1']],
  [AUTH_NOTES_STREAM, ['auth-note-kept.1']],
  [REMOTE_DEVICES_PREFIX, ['remote-devices-listed.1']],
  [DEVICE_STREAM_PREFIX, ['device-keys-set.1', 'one-time-keys-added.1']],
  [EFFECTS_STREAM, ['effects-begun.1', 'effect-given-up.1']],
  [SERVER_KEYS_PREFIX, []],
  [INBOUND_STREAM, ['pdu-queued.1']],
  [SERVER_STREAM, ['log-begun.1']],
  [REPORTS_STREAM, ['content-reported.1']],
  [PURGES_STREAM, ['purge-ordered.1', 'room-held.1']],
  [ERASURES_STREAM, ['erasure-ordered.1', 'erasure-begun.1']],
  ['external-id-', ['external-id-claimed.1']],
];

/** A log with a stream that ends with the fact, read as all of today's code reads it. */
async function logWith(name: string): Promise<{ store: TodaysEventStore; facts: readonly RecordedFact[] }> {
  const log = new MemoryEventStore();
  const { stream } = golden(name);
  const first = FIRST.find(([prefix]) => stream.startsWith(prefix))?.[1] ?? [];
  const written = [...first.filter((each) => each !== name), name].map(golden);
  await log.append(stream, 'no-stream', sealFacts(undefined, written));
  const store = new TodaysEventStore(log, FACT_SHAPES, ROOM_PARTS);
  const facts: RecordedFact[] = [];
  for await (const fact of store.readStream(stream)) facts.push(fact);
  return { store, facts };
}

/** What the stream's own reader makes of the facts. */
async function readStream(store: TodaysEventStore, facts: readonly RecordedFact[]): Promise<unknown> {
  const { stream } = facts[0]!;
  if (stream.startsWith(ROOM_STREAM_PREFIX)) return readRoomFact(roomIdOfStream(stream), facts.at(-1)!);
  if (stream.startsWith('alias-')) return facts.reduce(evolveAlias, NO_ALIAS);
  if (stream.startsWith('external-id-'))
    return facts.reduce<Claim | undefined>(evolveClaim, undefined) ?? 'nobody has it';
  if (stream.startsWith('registration-token-')) return facts.reduce(foldRegistrationTokenFact, NO_REGISTRATION_TOKEN);
  if (stream.startsWith(IDENTITY_ACCOUNT_PREFIX)) return facts.reduce(foldIdentityAccount, NO_IDENTITY_ACCOUNT);
  if (stream.startsWith(ASSOCIATION_PREFIX)) return facts.reduce(foldAssociation, NO_HOLDER);
  if (stream.startsWith(STORED_INVITES_PREFIX)) return facts.reduce(foldStoredInvite, NO_INVITES);
  if (stream.startsWith(BINDINGS_PREFIX)) return facts.reduce(foldBinding, NO_BINDINGS);
  if (stream.startsWith(IDENTITY_PEER_PREFIX)) return 'a place';
  if (stream.startsWith(ENDED_ASSOCIATION_PREFIX)) return 'it is over';
  if (stream === PEPPER_STREAM || stream === CLOCK_STREAM) return 'a time';
  if (stream === AUTH_NOTES_STREAM) return [...listNotes(facts.reduce(foldAuthNote, NO_NOTES), 0)];
  if (stream.startsWith('threepid-')) return facts.reduce(evolveHolder, undefined) ?? 'nobody has it';
  if (stream.startsWith(REMOTE_DEVICES_PREFIX)) {
    return facts.reduce<RemoteDevices | undefined>(foldRemoteDeviceFact, undefined);
  }
  if (stream.startsWith(DEVICE_STREAM_PREFIX)) return facts.reduce(foldDeviceKeyFact, NO_KEYS);
  if (stream.startsWith(PRESENCE_STREAM_PREFIX)) return keptIn(facts.at(-1)!);
  if (stream.startsWith(HELD_STREAM_PREFIX)) return facts.reduce(evolveHeld, NOTHING_HELD);
  if (stream.startsWith(SUBSCRIPTIONS_STREAM_PREFIX)) {
    return project(
      presenceListsProjector,
      facts.map((fact) => ({ ...fact, data: JSON.parse(fact.data) as unknown })),
    );
  }
  if (stream.startsWith(THREADS_STREAM_PREFIX)) {
    return project(
      threadSubscriptionsProjector(createRoomFactReader()),
      facts.map((fact) => ({ ...fact, data: JSON.parse(fact.data) as unknown })),
    );
  }
  if (stream.startsWith(ELSEWHERE_STREAM_PREFIX)) {
    return project(
      membershipProjector(createRoomFactReader()),
      facts.map((fact) => ({ ...fact, data: JSON.parse(fact.data) as unknown })),
    );
  }
  if (stream.startsWith(CONTACTS_STREAM_PREFIX)) {
    const { contacts, ids, shared, bytes } = facts.reduce(
      (book, fact) => foldContactFact(book, fact, fact.revision),
      NO_BOOK,
    );
    return { contacts: [...contacts.entries()], ids: [...ids.entries()], shared: [...shared.entries()], bytes };
  }
  if (stream.startsWith(PUSHERS_STREAM_PREFIX)) return facts.reduce(foldPusherFact, NO_PUSHERS);
  if (stream.startsWith(SIGN_INS_STREAM_PREFIX)) return facts.reduce(foldSignIn, NO_SIGN_INS);
  if (stream.startsWith(DELAYED_STREAM_PREFIX)) return facts.reduce(foldDelayFact, NO_DELAYS);
  if (stream.startsWith(SENT_STREAM_PREFIX)) return facts.reduce(foldSent, NOTHING_SENT);
  if (stream.startsWith(INBOX_STREAM_PREFIX)) return facts.reduce(foldTaken, NOTHING_TAKEN);
  if (stream.startsWith(SLIDING_STREAM_PREFIX)) {
    const by = { history: '', parse: (text: string) => WantedState.parse(text) };
    const connections = facts.reduce((state, fact) => foldConnections(state, fact, fact.revision, by), NO_CONNECTIONS);
    return { told: connections.told, connections: sumUp(connections, '', facts.at(-1)!.metadata.at) };
  }
  if (stream.startsWith(BACKUP_STREAM_PREFIX)) return facts.reduce(foldBackup, EMPTY_BACKUP);
  if (stream.startsWith(SERVER_KEYS_PREFIX)) {
    return facts.reduce((known, fact) => evolveKnownKeys(known, readTold(fact)), NO_SERVER_KEYS);
  }
  if (stream.startsWith(MEDIA_STREAM_PREFIX)) return facts.reduce(evolveMedia, NO_MEDIA);
  if (stream.startsWith('content-')) return facts.reduce(evolveContent, NOTHING_DECIDED);
  if (stream === INBOUND_STREAM) return [...facts.reduce(evolveWaiting, NOBODY_WAITS).values()];
  if (stream.startsWith(ORIGIN_STREAM_PREFIX)) return readTransaction(facts.at(-1)!);
  if (stream.startsWith(REFUSALS_STREAM_PREFIX)) return readRefused(facts.at(-1)!);
  if (stream.startsWith(DESTINATION_PREFIX)) return behindAfter(facts.at(-1)!) ?? 'nothing is owed';
  if (stream.startsWith(NETWORK_PREFIX)) return [...facts.reduce(evolveNetwork, new Set<RoomId>())];
  if (stream.startsWith(SERVICE_PREFIX)) return serviceAfter(facts.at(-1)!);
  if (stream === FORGOTTEN_STREAM) return (await findForgotten(store, PUT_BACK_ONCE)).upTo;
  if (stream === EFFECTS_STREAM) return facts.reduce(evolveEffects, NO_EFFECTS);
  if (stream === REPORTS_STREAM) return listReports(store);
  if (stream === ERASURES_STREAM) return facts.reduce(evolveErasures, NO_ERASURES);
  if (stream === PURGES_STREAM) return facts.reduce(evolvePurges, NO_PURGES);
  if (stream === RETENTION_STREAM) return facts.reduce(evolveRetention, NO_RULES);
  if (stream === SERVER_STREAM) return findLogIdentity(store);
  if (facts.at(-1)!.type.startsWith('backup-version-')) return facts.reduce(foldBackupVersions, NO_VERSIONS);
  return { account: facts.reduce(foldAccountFact, NO_ACCOUNT), pushRules: facts.reduce(foldPushRuleFact, NO_CHANGES) };
}

/** As JSON, of which a text is a fact's own and a map a list of its entries. */
function asText(value: unknown): string {
  const text = JSON.stringify(
    value,
    (_, each: unknown) => (each instanceof Map || each instanceof Set ? [...each] : each),
    2,
  );
  return `${text}\n`;
}

describe('golden facts', () => {
  it('are there of every type that is written, in every schema it had, and of no other', () => {
    const expected = Object.keys(FACT_SHAPES).flatMap((type) =>
      Array.from({ length: newestSchema(type, FACT_SHAPES) ?? 0 }, (_, before) => `${type}.${before + 1}`),
    );
    expect(names.toSorted()).toEqual(expected.toSorted());
    expect(readings.toSorted()).toEqual(expected.toSorted());
  });

  it.each(names)('are read as they always were: %s', async (name) => {
    const { type, schema } = golden(name);
    expect(`${type}.${schema}`).toBe(name);
    const { store, facts } = await logWith(name);
    const { data, metadata } = facts.at(-1)!;
    const read = {
      data: JSON.parse(data) as unknown,
      erasable: metadata.erasable,
      read: await readStream(store, facts),
    };
    await expect(asText(read)).toMatchFileSnapshot(`../golden/${name}.read.json`);
  });

  it.each(names.filter((name) => golden(name).stream.startsWith(ROOM_STREAM_PREFIX)))(
    'are told in words by the audit of a room: %s',
    async (name) => {
      const { store, facts } = await logWith(name);
      const { stream, type } = facts[0]!;
      const told: AuditEntry[] = [];
      const telling = { people: peopleOf('a.example' as ServerName), messages: false };
      for await (const entry of auditRoom(store, roomIdOfStream(stream), telling)) told.push(entry);
      expect(told).toHaveLength(1);
      expect(told[0]!.what).not.toContain(type);
    },
  );
});
