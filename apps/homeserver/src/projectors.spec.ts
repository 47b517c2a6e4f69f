import { beforeAll, describe, expect, it, test } from 'vitest';
import type { RoomId, UserId } from '#kernel/ids';
import { START } from '#kernel/position';
import { checkOwners } from '#projections/check-owners';
import { hasTooManyRows } from '#processes/purge/has-too-many-rows';
import type { Declared } from '#projections/collection';
import type { Views } from '#projections/views';
import { WRITE_SIDE } from '#read-models/write-side-collections';
import { ALICE, BOB, LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts, project, recordFacts, rowsOf, type StreamFact } from '#testing/project';
import { listProjectors } from './projectors.js';

const CAROL = '@carol:a.example' as UserId;

test('every collection has one owner, a name that every store takes, and what it is', () => {
  expect(() => checkOwners(listProjectors())).not.toThrow();
  for (const { collections, declared = [] } of listProjectors()) {
    expect(declared.map(({ name }) => name)).toEqual(collections);
    for (const { name, key, says } of declared) {
      expect(name).toMatch(/^[a-z][a-z0-9-]{0,39}$/);
      expect(WRITE_SIDE).not.toHaveProperty(name);
      expect([name, key.length]).not.toEqual([name, 0]);
      expect([name, says]).not.toEqual([name, '']);
    }
  }
});

/** `npx vitest run apps/homeserver/src/projectors.spec.ts -u` writes the page anew. */
test('docs/collections.md has all of them', async () => {
  const rowOf = (name: string, owner: string, { key, says }: Pick<Declared, 'key' | 'says'>): string =>
    `| \`${name}\` | ${owner} | ${key.join(', ')} | ${says} |`;
  const rows = [
    ...listProjectors().flatMap(({ name: owner, declared = [] }) => declared.map((one) => rowOf(one.name, owner, one))),
    ...Object.entries(WRITE_SIDE).map(([name, one]) => rowOf(name, '', one)),
  ];
  await expect(`# What the views hold

Every collection of rows, the projector that writes it, the parts of its key and what a row says. Those without a projector the write side
keeps for itself, and may lose. A collection is declared beside its projector (\`Collection\` of \`libs/projections\`).

| collection | projector | key | a row says |
| --- | --- | --- | --- |
${rows.toSorted().join('\n')}
`).toMatchFileSnapshot('../../../docs/collections.md');
});

/** Those whose rows of a room are few, or no more than those of another projector that are counted. */
const FEW_ROWS: Readonly<Record<string, string>> = {
  'deserted-rooms': 'users of this server: as membership-log',
  directory: 'aliases, which are freed before',
  handshakes: 'joins that are under way',
  'partial-rooms': 'one',
  'remote-servers': 'members: as membership-log',
  retention: 'three',
  'room-activity': 'one',
  'room-summary': 'one',
  'sticky-events': 'eleven hundred, of which the first step takes nearly all',
};

test('of each projector with rows of rooms some are counted before a purge takes all at once that is left', async () => {
  const counted = new Set<string>();
  const scan = async (name: string) => (counted.add(name), []);
  await hasTooManyRows({ scan, get: async () => undefined } as unknown as Views, '!room' as RoomId);
  for (const { name: projector, declared = [] } of listProjectors()) {
    const isOfRooms = declared.some(({ key: [first] }) => first === 'room' || first === 'hash of the room');
    const isCounted = declared.some(({ name }) => counted.has(name));
    expect([projector, isOfRooms && !isCounted && FEW_ROWS[projector] === undefined]).toEqual([projector, false]);
  }
});

const DAVE = '@dave:b.example';

/** What a fact says with other words, its PDU last as in the log. */
function pduLast(fact: StreamFact, other: object): object {
  const { pdu, ...header } = { ...(fact.data as { pdu: object }), ...other } as { pdu: object };
  return { ...header, pdu };
}

describe('the rows of every projector', () => {
  let life: readonly StreamFact[];

  beforeAll(async () => {
    const log = new MemoryEventStore();
    const room = await LocalRoom.begin(log, 'dev.annals.12.deletion');
    await room.setState('m.room.join_rules', { join_rule: 'public' });
    await room.setMembership(BOB, 'join');
    await room.setState('m.room.name', { name: 'The pub' });
    await room.setState('m.room.topic', { topic: 'beer' });
    await room.setState('m.room.topic', { 'dev.annals.deleted': true });
    const said = await room.say('hello');
    const relate = (relates: object, type = 'm.room.message', sender = BOB) =>
      room.send({
        type,
        sender,
        content: { body: '', 'm.relates_to': { event_id: said.eventId, ...relates } },
        txn: { device_id: 'D', txn_id: JSON.stringify(relates) },
      });
    const inside = await relate({ rel_type: 'm.thread' });
    await relate({ rel_type: 'm.annotation', key: '+' }, 'm.reaction');
    await relate({ rel_type: 'm.annotation', key: '+', event_id: inside.eventId }, 'm.reaction');
    await relate({ rel_type: 'm.thread' });
    await relate({ rel_type: 'm.reference' });
    await relate({ rel_type: 'm.replace', 'm.new_content': { body: 'bye' } }, 'm.room.message', ALICE);
    await relate({ rel_type: 'm.visibility', visibility: 'hidden' }, 'm.room.message', ALICE);
    const made = {
      'm.new_content': { body: 'hey' },
      'm.relates_to': { rel_type: 'm.replace', event_id: said.eventId },
    };
    await room.send({ type: 'm.room.message', content: { body: '* hey', ...made } });
    // So many words are filed at once by the search.
    const words = Array.from({ length: 260 }, (_, n) => `word${n}`).join(' ');
    for (let n = 0; n < 32; n++) await room.say(words);
    await room.redact(await room.say('oops'));
    const picture = { type: 'm.room.message', content: { msgtype: 'm.image', body: '', url: 'mxc://a.example/one' } };
    await room.send(picture);
    await room.redact(await room.send(picture));
    await room.redact(await room.setState('m.room.name', { name: 'The oops' }));
    const sticky = { type: 'a', content: {}, stickyMs: 3_600_000 };
    await room.send(sticky);
    await room.redact(await room.send(sticky));
    await room.setMembership(CAROL, 'join');
    await room.setMembership(CAROL, 'leave');
    await room.setState('m.room.retention', { max_lifetime: 3_600_000 });
    await room.list();
    const inRoom = log.facts.map(({ stream, type, data }) => ({ stream, type, data: JSON.parse(data) as unknown }));
    const of =
      (userId: UserId) =>
      (type: string, data: object): StreamFact => ({ stream: `user-${userId}`, type, data });
    const [alice, bob, carol] = [of(ALICE), of(BOB), of(CAROL)];
    const token = (type: string, data: object): StreamFact => ({ stream: 'registration-token-abc', type, data });
    const { roomId } = room;
    const [message] = inRoom.filter(({ data }) => (data as { event_id?: string }).event_id === said.eventId);
    const past: StreamFact = { ...message!, data: pduLast(message!, { event_id: '$past', history: true }) };
    const inThread = { 'm.relates_to': { rel_type: 'm.thread', event_id: '$root' } };
    const ofThread = { event_id: '$child', pdu: { ...(message!.data as { pdu: object }).pdu, content: inThread } };
    const pastThread: StreamFact = { ...past, data: pduLast(past, ofThread) };
    const learnt: StreamFact = {
      stream: `room-${roomId}`,
      type: 'state-learnt',
      data: { event_id: '$joined', part: 1, parts: 1, root: '', state: [['m.room.topic', '', '$topic']] },
    };
    const { pdu } = message!.data as { pdu: object };
    const outlier: StreamFact = {
      stream: `room-${roomId}`,
      type: 'outlier-stored',
      data: { event_id: '$joined', room_version: room.version.id, origin: 'b.example', pdu },
    };
    const joined = { event_id: '$joined', origin: 'b.example', history: true, base: { learnt: '$joined' } };
    const member = { ...pdu, type: 'm.room.member', state_key: DAVE, content: { membership: 'join' } };
    const taken: StreamFact = {
      stream: `room-${roomId}`,
      type: 'state-taken',
      data: {
        event_id: '$taken',
        room_version: '11',
        state: [{ type: 'm.room.member', state_key: DAVE, event_id: '$taken' }],
        visibility: 'shared',
        origin: 'b.example',
        pdu: member,
      },
    };
    const inPart = { event_id: '$joined', partial: { via: 'b.example', servers: ['b.example'] } };
    const again = { event_id: '$joined', state: [], root: '' };
    const partial: readonly StreamFact[] = [
      { stream: `room-${roomId}`, type: 'join-completed', data: inPart },
      { stream: `room-${roomId}`, type: 'join-filled', data: { event_id: '$joined', states: [again] } },
    ];
    const asked = ([userId, membership]: readonly [string, string], n: number): StreamFact => {
      const event_id = `$asked${n}`;
      const state = [{ type: 'm.room.member', state_key: userId, event_id }];
      const told = { ...member, state_key: userId, content: { membership } };
      return { ...taken, data: { ...(taken.data as object), event_id, state, pdu: told } };
    };
    const invited = ['@erin:b.example', '@frank:b.example'] as const;
    const asks = [...invited.map((userId) => [userId, 'invite'] as const), [invited[0], 'leave'] as const].map(asked);
    const unseen: StreamFact = {
      stream: `room-${roomId}`,
      type: 'pdu-redacted',
      data: { event_id: '$unseen', redacted_by: '$redaction', room_version: '11', pdu: member },
    };
    const expired: StreamFact = {
      ...unseen,
      data: { ...(unseen.data as object), event_id: '$unseen', ordered: { expired: 'news' }, pdu },
    };
    const lost = { pdu: { ...pdu, prev_events: ['$lost'] } };
    const afterGap: StreamFact = { ...message!, data: pduLast(message!, { ...joined, ...lost }) };
    const softFailed: StreamFact = {
      ...afterGap,
      type: 'pdu-soft-failed',
      data: pduLast(afterGap, { event_id: '$failed' }),
    };
    const refused: StreamFact = {
      ...softFailed,
      data: pduLast(softFailed, {
        event_id: '$refused',
        pdu: { ...pdu, origin_server_ts: 10_000, msc4354_sticky: { duration_ms: 3_600_000 } },
      }),
    };
    const foreign = { event_id: '$late', origin: 'b.example' };
    const late: StreamFact = { ...message!, data: pduLast(message!, foreign) };
    const receipt = (n: number, more: object = {}): StreamFact => ({
      ...bob('receipt-set', { room_id: roomId, receipt_type: 'm.read', event_id: `$${n}`, ...more }),
      stream: `marks-${BOB}`,
    });
    const refresh = (used: string, n: number): StreamFact =>
      alice('tokens-refreshed', { device_id: 'D', used, token_hash: `a${n}`, refresh_hash: `r${n}`, expires_at: n });
    const accounts = [
      token('registration-token-created', { uses_allowed: 5 }),
      token('registration-token-changed', { expires_at: 9 }),
      token('registration-token-used', { user_id: ALICE }),
      token('registration-token-returned', { user_id: ALICE }),
      ...[alice, bob, carol].map((by, n) =>
        by('account-registered', { user_id: [ALICE, BOB, CAROL][n], kind: 'user', via: 'open' }),
      ),
      alice('admin-changed', { admin: true }),
      bob('account-locked', {}),
      bob('account-unlocked', {}),
      bob('account-suspended', {}),
      bob('account-unsuspended', {}),
      carol('account-locked', {}),
      bob('rate-limit-overridden', { per_second: 0, burst: 0 }),
      bob('rate-limit-restored', {}),
      carol('rate-limit-overridden', { per_second: 2, burst: 9 }),
      carol('account-suspended', {}),
      alice('device-added', { device_id: 'D', token_hash: 'a0', refresh_hash: 'r0', expires_at: 9 }),
      alice('device-added', { device_id: 'E', token_hash: 'e0' }),
      refresh('r0', 1),
      refresh('r0', 2),
      alice('tokens-confirmed', { device_id: 'D', token_hash: 'a2' }),
      refresh('r2', 3),
      alice('device-added', { device_id: 'Y', token_hash: 'y0' }),
      alice('device-dehydrated', { device_id: 'Y', device_data: {} }),
      bob('device-dehydrated', { device_id: 'Z', device_data: {} }),
      bob('devices-removed', { device_ids: ['Z'], reason: 'deleted' }),
      alice('device-renamed', { device_id: 'D', display_name: 'mine' }),
      alice('device-added', { device_id: 'D', token_hash: 'a4', refresh_hash: 'r4', expires_at: 9 }),
      refresh('r4', 5),
      alice('devices-removed', { device_ids: ['E'], reason: 'logout' }),
      alice('profile-changed', { key: 'displayname', value: 'A' }),
      alice('profile-changed', { key: 'm.tz', value: 'UTC' }),
      alice('profile-changed', { key: 'm.tz', removed: true }),
      alice('readers-set', { of: 'profile', key: 'displayname', readers: ['contacts'] }),
      alice('readers-set', { of: 'profile', key: 'displayname', removed: true }),
      alice('readers-set', { of: 'profile', key: 'org.example.pet', readers: ['@bob:a.example'] }),
      alice('profile-changed', { key: 'org.example.pet', value: 'cat' }),
      alice('readers-set', { of: 'user-data', key: 'a', readers: ['rooms'] }),
      alice('readers-set', { of: 'threepids', key: 'email', readers: ['contacts'] }),
      alice('account-data-set', { type: 'a', content: { n: 1 } }),
      alice('account-data-set', { type: 'a', content: { n: 2 }, room_id: roomId }),
      alice('account-data-set', { type: 'a', content: { n: 3 } }),
      alice('tag-set', { room_id: roomId, tag: 'u.x', content: {} }),
      alice('tag-set', { room_id: roomId, tag: 'u.y', content: {} }),
      alice('tag-removed', { room_id: roomId, tag: 'u.x' }),
      alice('filter-created', { filter_id: 'f', filter: {} }),
      ...['a@x.example', 'b@x.example'].map((address) =>
        alice('threepid-added', { medium: 'email', validated_at: 1, added_at: 2, address }),
      ),
      alice('threepid-removed', { medium: 'email', address: 'b@x.example' }),
      ...['one', 'two'].map((hash) => alice('external-id-linked', { provider: 'p', id_hash: hash, subject: hash })),
      alice('external-id-unlinked', { provider: 'p', id_hash: 'one' }),
      carol('external-id-linked', { provider: 'p', id_hash: 'three', subject: 's' }),
      ...['session', 'over'].map((sid) => alice('upstream-session-begun', { provider: 'p', sid_hash: sid })),
      alice('upstream-sessions-ended', { provider: 'p', sid_hash: 'over' }),
      bob('terms-accepted', { documents: { rules: '1' } }),
      bob('terms-accepted', { documents: { rules: '2', privacy: '1' } }),
      carol('threepid-added', { medium: 'email', validated_at: 1, added_at: 2, address: 'c@x.example' }),
      alice('push-rule-enabled-set', { kind: 'override', rule_id: '.m.rule.master', enabled: true }),
      alice('push-rule-actions-set', { kind: 'override', rule_id: '.m.rule.master', actions: [] }),
      receipt(1),
      receipt(2, { thread_id: 'main' }),
      receipt(3),
      receipt(4, { room_id: '!left:a.example' }),
      { ...bob('marks-ended', { rooms: ['!left:a.example'] }), stream: `marks-${BOB}` },
      {
        stream: 'alias-#pub:a.example',
        type: 'alias-created',
        data: { alias: '#pub:a.example', room_id: roomId, creator: ALICE },
      },
      {
        stream: 'alias-#x:a.example',
        type: 'alias-created',
        data: { alias: '#x:a.example', room_id: roomId, creator: ALICE },
      },
      {
        stream: 'alias-#x:a.example',
        type: 'alias-deleted',
        data: { alias: '#x:a.example', room_id: roomId, by: ALICE },
      },
      ...[true, false, true].map((listed) => ({
        stream: 'network-bridge|net',
        type: 'network-room-listed',
        data: { room_id: roomId, listed, by: ALICE },
      })),
      carol('device-added', { device_id: 'C', token_hash: 'c0' }),
      carol('account-data-set', { type: 'a', content: {} }),
      carol('filter-created', { filter_id: 'f', filter: {} }),
      carol('push-rule-actions-set', { kind: 'override', rule_id: '.m.rule.master', actions: [] }),
      carol('room-forgotten', { room_id: roomId }),
      carol('devices-removed', { device_ids: ['C'], reason: 'deactivated' }),
      carol('account-deactivated', { erase: true }),
      carol('account-reopened', {}),
    ];
    const ofDevice = (type: string, data: object): StreamFact => ({
      stream: `device-${ALICE}|D`,
      type,
      data: { created_ts: 1, after: { counts: { a: 2 }, unused_fallback: [], history: '' }, ...data },
    });
    const devices = [
      ofDevice('device-keys-set', { device_keys: { keys: {} } }),
      ofDevice('one-time-keys-added', { keys: [] }),
      ofDevice('one-time-keys-claimed', { claims: [{ algorithm: 'a', key_id: '1', by: BOB }] }),
      ofDevice('device-keys-summed-up', { device_keys: { keys: {} } }),
      { ...ofDevice('device-keys-set', { device_keys: { keys: {} } }), stream: `device-${CAROL}|C` },
      { ...ofDevice('device-keys-set', { device_keys: { keys: {} } }), stream: `device-${CAROL}|E` },
      { ...ofDevice('device-keys-ended', {}), stream: `device-${CAROL}|E` },
    ];
    const elsewhere = ['invite', 'leave', 'knock'].map((membership, n): StreamFact => {
      const told = {
        room_id: '!far:b.example',
        room_version: '11',
        membership,
        event_id: `$far${n}`,
        origin: 'b.example',
      };
      const content = { membership };
      return {
        stream: `elsewhere-${BOB}`,
        type: 'membership-told',
        data: { ...told, pdu: { ...member, sender: DAVE, state_key: BOB, content }, state: [] },
      };
    });
    const kept = elsewhere.map((fact, n): StreamFact => {
      const sender = n === 0 ? '@eve:c.example' : DAVE;
      const told = fact.data as { pdu: object };
      return { ...fact, type: 'membership-kept', data: { ...told, pdu: { ...told.pdu, sender } } };
    });
    const handshakes = ['handshake-begun', 'handshake-begun', 'handshake-ended'].map((type, n): StreamFact => {
      const event = { room_id: '!far:b.example', event_id: `$given${Math.min(n, 1)}` };
      const given = { ...event, room_version: '11', membership: 'join', server: 'b.example', pdu: member };
      return { stream: `elsewhere-${BOB}`, type, data: type === 'handshake-ended' ? event : given };
    });
    const crossSigning = [
      bob('cross-signing-keys-set', { master: {}, self_signing: {} }),
      bob('signatures-added', { signatures: [{ user_id: BOB, target: 'B', key_id: 'ed25519:s', signature: 's' }] }),
      carol('signatures-added', { signatures: [{ user_id: CAROL, target: 'C', key_id: 'ed25519:s', signature: 's' }] }),
      bob('signatures-added', { signatures: [{ user_id: ALICE, target: 'A', key_id: 'ed25519:u', signature: 's' }] }),
      bob('cross-signing-keys-set', { user_signing: {} }),
    ];
    const toBoth = [[BOB, 'B', 0], [CAROL, 'C', 0]]; // prettier-ignore
    const messages: readonly StreamFact[] = [
      {
        stream: `sent-${ALICE}|D`,
        type: 'to-device-sent',
        data: { type: 'm.x', txn: '1', to: toBoth, contents: [{}] },
        erasable: JSON.stringify({ type: 'm.x', txn: '1' }).length,
      },
      {
        stream: `inbox-${BOB}|B`,
        type: 'to-device-collected',
        data: { up_to: START, log_id: 'copied', from: { [`sent-${ALICE}|D`]: [0] } },
      },
    ];
    const inBackup = (type: string, data: object): StreamFact => ({ stream: `backup-${ALICE}|1`, type, data });
    const backups = [
      alice('backup-version-created', { version: '1', algorithm: 'a', auth_data: {} }),
      alice('backup-version-changed', { version: '1', auth_data: { k: 1 } }),
      inBackup('session-backed-up', { room_id: roomId, session_id: 's', session_data: {}, count: 1, etag: 1 }),
      inBackup('session-backed-up', { room_id: roomId, session_id: 't', session_data: {}, count: 2, etag: 1 }),
      inBackup('sessions-removed', { sessions: { [roomId]: ['s'] }, count: 1, etag: 2 }),
      carol('backup-version-created', { version: '1', algorithm: 'a', auth_data: {} }),
      { ...inBackup('session-backed-up', { room_id: roomId, session_id: 's' }), stream: `backup-${CAROL}|1` },
      carol('backup-version-created', { version: '2', algorithm: 'a', auth_data: {} }),
      carol('backup-version-deleted', { version: '2' }),
    ];
    const remote = (type: string, data: object): StreamFact => ({ stream: `remote-devices-${DAVE}`, type, data });
    const remotes = [
      remote('remote-devices-missed', {}),
      remote('remote-devices-listed', { stream_id: 1, devices: [{ device_id: 'R' }], master_key: {} }),
      remote('remote-device-updated', { stream_id: 2, device_id: 'R', deleted: true }),
      remote('remote-signing-keys-updated', { self_signing_key: {} }),
      remote('remote-devices-missed', { stream_id: 4 }),
    ];
    const restored: StreamFact = {
      stream: 'server',
      type: 'log-restored',
      data: { restore_id: 'cafe', agreed: START },
    };
    const serverKeys = [1, 2].map((fetched): StreamFact => ({
      stream: 'server-keys-b.example',
      type: 'server-keys-told',
      data: {
        fetched_ts: fetched,
        document: { valid_until_ts: 10 * fetched, verify_keys: { 'ed25519:a': { key: 'A'.repeat(43) } } },
      },
    }));
    const owed: readonly StreamFact[] = [
      { stream: 'destination-b.example', type: 'destination-behind', data: { failures: 1 } },
      { stream: 'destination-c.example', type: 'destination-behind', data: { failures: 1 } },
      { stream: 'destination-b.example', type: 'destination-caught-up', data: {} },
    ];
    const presence: readonly StreamFact[] = [
      { stream: `presence-${ALICE}`, type: 'presence-kept', data: { last_active: 1, present: true } },
      { stream: `presence-${BOB}`, type: 'presence-kept', data: { present: true } },
      { stream: `presence-${BOB}`, type: 'presence-kept', data: { last_active: 2, choice: 'hidden', status_msg: 's' } },
    ];
    const lists: readonly StreamFact[] = [
      { stream: `subscriptions-${ALICE}`, type: 'subscription-asked', data: { user_id: BOB } },
      { stream: `subscriptions-${ALICE}`, type: 'subscription-grouped', data: { user_id: BOB, groups: ['work'] } },
      { stream: `subscriptions-${BOB}`, type: 'watcher-asked', data: { user_id: ALICE } },
      { stream: `subscriptions-${BOB}`, type: 'watcher-accepted', data: { user_id: ALICE } },
      { stream: `subscriptions-${ALICE}`, type: 'subscription-accepted', data: { user_id: BOB } },
    ];
    const held: readonly StreamFact[] = [
      { stream: `held-${BOB}`, type: 'invitation-held', data: { room_id: roomId, sender: ALICE } },
      { stream: `held-${BOB}`, type: 'invitation-released', data: { room_id: roomId, sender: ALICE } },
      { stream: `held-${ALICE}`, type: 'invitation-held', data: { room_id: roomId, sender: BOB } },
    ];
    const toThread = (userId: UserId, type: string, data: object = {}): StreamFact => ({
      stream: `threads-${userId}`,
      type,
      data: { room_id: roomId, root: said.eventId, stamp: 1, ...data },
    });
    const threads = [
      toThread(ALICE, 'thread-subscribed'),
      toThread(ALICE, 'thread-unsubscribed', { stamp: 2, after: said.eventId }),
      toThread(ALICE, 'thread-subscribed', { stamp: 3, cause: said.eventId }),
      toThread(BOB, 'thread-subscribed'),
      toThread(BOB, 'thread-subscriptions-ended'),
      toThread(CAROL, 'thread-subscribed'),
    ];
    const sha256 = 'a'.repeat(64);
    const content = { sha256, bytes: 4, about: { type: 'image/png' } };
    const medium = (name: string, type: string, data: object): StreamFact => ({ stream: `media-${name}`, type, data });
    const media = [
      medium('a.example/one', 'media-reserved', { by: ALICE, expires_at: 9 }),
      medium('a.example/one', 'media-uploaded', { by: ALICE, ...content }),
      medium('a.example/one', 'media-unshown', {}),
      medium('a.example/one', 'media-kept', {}),
      medium('a.example/one', 'media-unshown', {}),
      medium('a.example/two', 'media-reserved', { by: ALICE, expires_at: 9 }),
      medium('a.example/three', 'media-reserved', { by: BOB, expires_at: 9 }),
      medium('a.example/three', 'media-expired', {}),
      medium('a.example/four', 'media-uploaded', { by: BOB, ...content }),
      medium('a.example/four', 'media-deleted', { sha256 }),
      medium('b.example/five', 'media-fetched', content),
      medium('b.example/five', 'media-seen', { day: 1 }),
      medium('b.example/six', 'media-fetched', content),
      medium('b.example/six', 'media-seen', { day: 2 }),
      medium('b.example/six', 'media-dropped', { sha256 }),
      medium('b.example/six', 'media-fetched', content),
      { stream: `content-${sha256}`, type: 'content-quarantined', data: { reason: 'r' } },
      { stream: `content-${'b'.repeat(64)}`, type: 'content-quarantined', data: {} },
      { stream: `content-${'b'.repeat(64)}`, type: 'content-released', data: {} },
    ];
    const toPusher = (userId: UserId, type: string, data: object = {}): StreamFact => ({
      stream: `pushers-${userId}`,
      type,
      data: { app_id: 'app', pushkey: 'key', ...data },
    });
    const pushers = [
      toPusher(ALICE, 'pusher-set'),
      toPusher(ALICE, 'pusher-set', { pushkey: 'other' }),
      toPusher(ALICE, 'pusher-removed'),
      toPusher(BOB, 'pusher-set', { behind: true }),
      toPusher(BOB, 'pushers-ended'),
      toPusher(CAROL, 'pusher-set', { enabled: false }),
      toPusher(CAROL, 'pusher-set', { kind: 'email', digest: { due_at: 5 } }),
      toPusher(CAROL, 'pusher-set', { kind: 'email', digest: { due_at: 7 } }),
      toPusher(ALICE, 'pusher-set', { kind: 'email', digest: { due_at: 7 } }),
      toPusher(ALICE, 'pusher-removed'),
    ];
    const toContacts = (userId: UserId, type: string, data: object): StreamFact => ({
      stream: `contacts-${userId}`,
      type,
      data,
    });
    const mailOfBob = { medium: 'email', address: 'bob@example.org' };
    const contact = { name: 'Bob', threepids: [mailOfBob], user_ids: [CAROL] };
    const contacts = [
      toContacts(ALICE, 'contact-put', { contact_id: 'one', contact }),
      toContacts(ALICE, 'contact-matched', {
        contact_id: 'one',
        matches: [{ ...mailOfBob, user_id: BOB, by: 'id.example' }],
      }),
      toContacts(ALICE, 'contact-put', { contact_id: 'one', overtakes: 0, contact: { ...contact, name: 'Bobby' } }),
      toContacts(ALICE, 'contact-put', { contact_id: 'two', contact }),
      toContacts(ALICE, 'contact-removed', { contact_id: 'two', overtakes: [3] }),
      toContacts(ALICE, 'address-shared', { shared: true, of: mailOfBob }),
      toContacts(ALICE, 'address-shared', { shared: true, of: { ...mailOfBob, address: 'b@example.org' } }),
      toContacts(ALICE, 'address-shared', { shared: false, of: { ...mailOfBob, address: 'b@example.org' } }),
      toContacts(BOB, 'contact-put', { contact_id: 'one', contact }),
      toContacts(BOB, 'address-shared', { shared: true, of: mailOfBob }),
      toContacts(BOB, 'contacts-ended', {}),
    ];
    const toIdentity = (stream: string, type: string, data: object): StreamFact => ({ stream, type, data });
    const toBob = (type: string, data: object): StreamFact => toIdentity(`identity-account-${BOB}`, type, data);
    const pepper = (text: string): StreamFact => toIdentity('identity-pepper', 'pepper-set', { pepper: text });
    const association = (id: string, address: string, more: object = {}): object => {
      const times = { ts: 1, not_before: 1, not_after: 2 };
      return { association_id: id, ...times, by: 'a.example', of: { ...mailOfBob, address }, mxid: BOB, ...more };
    };
    const identity = [
      pepper('first'),
      toBob('identity-token-issued', { token_hash: 'one' }),
      toBob('identity-token-issued', { token_hash: 'two' }),
      toBob('identity-token-ended', { token_hash: 'one' }),
      toBob('identity-terms-accepted', { urls: ['https://a.example/terms'] }),
      toBob('identity-readers-set', { readers: [ALICE] }),
      toBob('identity-key-published', { master_key: { user_id: BOB, usage: ['master'], keys: {} } }),
      toBob('identity-readers-learnt', { by: 'id.example', readers: [] }),
      toIdentity('association-held', 'association-made', association('held', mailOfBob.address)),
      toIdentity('association-over', 'association-made', association('over', 'b@example.org')),
      toIdentity('association-over', 'association-ended', { association_id: 'over', ts: 3, by: 'a.example' }),
      toIdentity('association-learnt', 'association-made', association('older', 'c@d.e')),
      toIdentity('association-learnt', 'association-end-learnt', { association_id: 'older', ts: 7, by: 'id.example' }),
      toIdentity(
        'association-learnt',
        'association-learnt',
        association('learnt', 'c@d.e', {
          mxid: CAROL,
          ts: 7,
          by: 'id.example',
          signatures: { 'id.example': { 'ed25519:1': 'c2ln' } },
        }),
      ),
      toIdentity('association-unsaid', 'association-learnt', association('theirs', 'f@g.h', { by: 'id.example' })),
      toIdentity('association-unsaid', 'association-end-learnt', { association_id: 'theirs', ts: 8, by: 'id.example' }),
      toIdentity('ended-association-unheard', 'association-end-heard', { ts: 8, by: 'id.example' }),
      toIdentity('ended-association-late', 'association-overtaken', { ts: 8 }),
      toIdentity(`bindings-${ALICE}`, 'binding-noted', { binding_id: 'one', id_server: 'a.example', of: mailOfBob }),
      toIdentity(`bindings-${ALICE}`, 'binding-noted', { binding_id: 'two', id_server: 'a.example', of: mailOfBob }),
      toIdentity(`bindings-${ALICE}`, 'binding-ended', { binding_id: 'two' }),
      pepper('second'),
      toIdentity(
        'association-phone',
        'association-made',
        association('phone', '', { of: { medium: 'msisdn', address: '4930123456' } }),
      ),
    ];
    const toInvites = (type: string, name: string, more: object = {}): StreamFact =>
      toIdentity('stored-invites-one', type, { token: name, ...more });
    const invite = { room_id: '!room:a.example', sender: ALICE, until: 9 };
    const invites = [
      toInvites('invite-stored', 'waits', { ...invite, public_key: 'first', message: 'sealed' }),
      toInvites('invite-stored', 'sent', { ...invite, public_key: 'fourth', message: 'sealed' }),
      toInvites('invite-sent', 'sent'),
      toInvites('invite-stored', 'told', { ...invite, public_key: 'second' }),
      toInvites('invite-claimed', 'told', { mxid: BOB, until: 5 }),
      toInvites('invite-told', 'told'),
      toInvites('invite-stored', 'over', { ...invite, public_key: 'third' }),
      toInvites('invite-ended', 'over'),
    ];
    const toDelay = (userId: UserId, type: string, data: object = {}): StreamFact => ({
      stream: `delayed-${userId}`,
      type,
      data: { delay_id: `of ${userId}`, ...data },
    });
    const delays = [
      toDelay(ALICE, 'event-delayed', { running_since: 1, delay: 10 }),
      toDelay(ALICE, 'delay-restarted', { running_since: 5 }),
      toDelay(ALICE, 'delay-delegated', { room: 'room', identity: 'alice', since: 6 }),
      toDelay(BOB, 'event-delayed', { running_since: 1, delay: 10 }),
      toDelay(BOB, 'delay-ended', { ended_at: 11 }),
      toDelay(CAROL, 'event-delayed', { running_since: 1, delay: 10 }),
      toDelay(CAROL, 'delayed-events-ended'),
    ];
    const left: StreamFact = { ...asked([ALICE, 'leave'], 9), stream: 'room-!left:a.example' };
    life = [
      { stream: 'server', type: 'log-begun', data: { log_id: 'log', server_name: 'a.example' } },
      left,
      ...media,
      ...delays,
      ...invites,
      ...pushers,
      ...contacts,
      ...identity,
      ...threads,
      ...inRoom,
      past,
      pastThread,
      taken,
      ...asks,
      outlier,
      restored,
      learnt,
      unseen,
      expired,
      { stream: 'retention', type: 'retention-ruled', data: { on: true, default: {}, allowed: {} } },
      afterGap,
      softFailed,
      refused,
      late,
      ...partial,
      ...devices,
      ...crossSigning,
      ...elsewhere,
      ...kept,
      ...handshakes,
      { stream: `elsewhere-${DAVE}`, type: 'stays-ended', data: {} },
      ...remotes,
      ...serverKeys,
      ...messages,
      ...backups,
      ...presence,
      ...lists,
      ...held,
      ...owed,
      ...accounts,
    ];
  });

  it.each(listProjectors().map((projector) => [projector.name, projector] as const))(
    'do not depend on how often facts are applied, nor on how they are batched: %s',
    async (_, projector) => {
      const rows = Object.keys(await project(projector, life));
      // A new projector, or a new collection of one, wants facts in this life.
      const empty = projector.collections.filter((name) => !rows.some((row) => row.startsWith(`${name} `)));
      expect(empty).toEqual([]);
    },
  );

  it.each(listProjectors().map((projector) => [projector.name, projector] as const))(
    'of a room that is purged are gone, and nothing brings them back when they are made anew: %s',
    async (name, projector) => {
      const room = life.find(({ type }) => type === 'pdu-accepted')!.stream;
      const events = new Set<string>();
      for (const { stream, data } of life) {
        const { event_id: eventId } = data as { event_id?: string };
        if (stream === room && eventId !== undefined) events.add(eventId);
      }
      const step = (data: object): StreamFact => ({
        stream: room,
        type: 'room-purged',
        data: { room_version: '11', up_to: 1, ...data },
      });
      const users = [ALICE, BOB, CAROL];
      const steps = [
        step({ more: true }),
        step({ more: true, events: [...events], users: [DAVE, '@erin:b.example', '@frank:b.example'] }),
      ];
      const last = step({ users });
      // The log lets go of what stands before the last: at the same places as before nobody finds anything of the room.
      const kept = [...life, ...steps].map((fact) => (fact.stream === room ? { ...fact, type: 'gone' } : fact));
      const rows = async (facts: readonly StreamFact[]): Promise<object> => {
        const store = new MemoryReadModels();
        await applyFacts(projector, recordFacts(facts), store);
        return rowsOf(projector, store);
      };
      const purged = await rows([...life, ...steps, last]);
      // What somebody of another server is called stays known: that is of them, and of no room.
      if (name === 'names') return;
      expect(purged).toEqual(await rows([...kept, last]));
    },
  );
});
