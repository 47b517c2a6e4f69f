import { describe, expect, it } from 'vitest';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { redact } from '#protocol/redaction/redact';
import type { Pdu } from '#protocol/room-event';
import { ROOM_VERSIONS } from '#protocol/room-versions/room-versions';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { signEvent } from '#protocol/signing/sign-event';
import { createSigningKey } from '#protocol/signing/signing-key';
import { emptyObject } from '#testing/empty-object';
import { type ForeignDraft, ForeignServer } from '#testing/receiving/foreign-server';
import { keysOf } from '#testing/receiving/memory-room';
import { preparePdu } from './prepare-pdu.js';
import type { ServerKey } from '../server-keys.js';

const A = new ForeignServer('a.example', 1);
const B = new ForeignServer('b.example', 2);
/** Another key under the key id of B. */
const FORGED = createSigningKey(Buffer.alloc(32, 9), B.signingKey.keyId.slice('ed25519:'.length));
const ALICE = A.user('alice');
const ORIGIN = 'a.example' as ServerName;

const version = (id: string) => ROOM_VERSIONS.find((one) => one.id === id) as RoomVersion;
const roomIdOf = (of: RoomVersion) => A.create(of, ALICE).event.roomId;

function message(of: RoomVersion, more: Partial<ForeignDraft> = {}): Pdu {
  const draft = { type: 'm.room.message', sender: ALICE, content: { body: 'Hello' }, prev: ['$p:x'], auth: ['$a:x'] };
  return A.make(of, roomIdOf(of), { ...draft, ...more }).event.pdu;
}

async function prepare(of: RoomVersion, input: Pdu | string, keys = keysOf(A, B)) {
  return preparePdu(input, { roomId: roomIdOf(of), version: of, origin: ORIGIN, keys });
}

async function kindOf(of: RoomVersion, pdu: JsonObject): Promise<string> {
  return (await prepare(of, JSON.stringify(pdu))).kind;
}

describe.each(ROOM_VERSIONS)('a PDU of room version $id', (of) => {
  it('is prepared by its bytes, and keeps the text that was signed', async () => {
    const prepared = await prepare(of, JSON.stringify({ ...message(of), unsigned: { age: 1.5 } }));
    expect(prepared.kind).toBe('prepared');
    expect((await prepare(of, message(of))).kind).toBe('prepared');
    if (prepared.kind === 'prepared') expect(prepared.pduText).not.toContain('unsigned');
  });

  it('of more values than can be in an event is dropped before anything is made of it', async () => {
    const text = JSON.stringify({ ...message(of), unsigned: { a: Array.from({ length: 70_000 }, () => ({})) } });
    expect(await prepare(of, text)).toMatchObject({ kind: 'dropped', reason: 'Too many values', wantedKeys: [] });
  });

  it('of another room is dropped', async () => {
    const other = A.make(of, '!other:a.example' as never, { type: 'x', sender: ALICE, prev: [], auth: [] });
    expect(await prepare(of, other.text)).toMatchObject({ kind: 'dropped', wantedKeys: [] });
  });

  it.each([
    'sender',
    'type',
    'content',
    'hashes',
    'signatures',
    'depth',
    'origin_server_ts',
    'prev_events',
    'auth_events',
  ])('without %s is dropped', async (key) => {
    const { [key]: _, ...rest } = message(of);
    expect(await kindOf(of, rest)).toBe('dropped');
  });

  it('is dropped where it has more than 65,536 bytes, of whatever letters', async () => {
    const fits = message(of, { content: { body: 'é'.repeat(32_000) } });
    expect((await prepare(of, fits)).kind).toBe('prepared');
    expect(await prepare(of, { ...fits, content: { body: 'é'.repeat(33_000) } })).toMatchObject({
      kind: 'dropped',
    });
  });

  it('may name 20 parents and 10 auth events, and no more', async () => {
    const ids = (count: number) => Array.from({ length: count }, (_, i) => `$${i}:x`);
    const raw = (prev: number, auth: number): JsonObject => {
      const pairs = (list: string[]) => (of.references === 'pairs' ? list.map((id) => [id, {}]) : list);
      return { ...message(of), prev_events: pairs(ids(prev)), auth_events: pairs(ids(auth)) };
    };
    const reasonOf = async (pdu: JsonObject) => {
      const outcome = await prepare(of, JSON.stringify(pdu));
      return outcome.kind === 'dropped' ? outcome.reason : '';
    };
    // The hash and the signature do not hold any more: only the form is looked at here.
    expect(await reasonOf(raw(20, 10))).toContain('signature');
    expect(await reasonOf(raw(21, 1))).toContain('prev_events');
    expect(await reasonOf(raw(1, 11))).toContain('auth_events');
  });

  it('may have the greatest depth of its version, and none below zero', async () => {
    const greatest = of.strictCanonicalJson ? Number.MAX_SAFE_INTEGER : 2 ** 62;
    expect((await prepare(of, message(of, { depth: greatest }))).kind).toBe('prepared');
    expect(await kindOf(of, { ...message(of), depth: -1 })).toBe('dropped');
  });

  it('is dropped where its signature does not hold, or is of another', async () => {
    const pdu = message(of);
    expect(await kindOf(of, { ...pdu, type: 'm.room.other' })).toBe('dropped');
    expect(
      await kindOf(of, {
        ...pdu,
        signatures: signEvent({ ...pdu, signatures: {} }, of, B.name, B.signingKey)['signatures'],
      }),
    ).toBe('dropped');
  });

  it('tells which key is wanted where none is known', async () => {
    expect(await prepare(of, message(of), keysOf(B))).toMatchObject({
      kind: 'dropped',
      wantedKeys: [{ serverName: A.name, keyId: A.signingKey.keyId, validAt: 1_000 }],
    });
  });

  it('may have several signatures of its server: those by keys that are known must all hold, and no other is looked at', async () => {
    const pdu = message(of);
    const { [A.name]: own } = pdu['signatures'] as Record<string, JsonObject>;
    const signedToo = (keyId: string): JsonObject => ({
      ...pdu,
      signatures: { [A.name]: { ...own, [keyId]: Buffer.alloc(64, 7).toString('base64').replace(/=+$/, '') } },
    });
    expect(await kindOf(of, signedToo('ed25519:unknown'))).toBe('prepared');
    const { keyId } = A.signingKey;
    const second = createSigningKey(Buffer.alloc(32, 8), 'second');
    const known = {
      find: (_server: ServerName, id: string) =>
        id === keyId || id === second.keyId ? { key: A.verifyKey, validUntil: 1_000_000, isOld: false } : undefined,
    };
    expect((await prepare(of, JSON.stringify(signedToo('ed25519:unknown')), known)).kind).toBe('prepared');
    expect((await prepare(of, JSON.stringify(signedToo(second.keyId)), known)).kind).toBe('dropped');
  });

  it('goes on in its redacted form where its content hash does not hold', async () => {
    const pdu = message(of);
    const prepared = await prepare(of, { ...pdu, content: { body: 'forged' } });
    expect(prepared).toMatchObject({ kind: 'prepared', event: { content: emptyObject() } });
    if (prepared.kind === 'prepared') expect(prepared.event.pdu).toEqual(redact(pdu, of));
  });

  it('signed with a key that was valid no longer counts only before versions that ask for it', async () => {
    const known = (key: Partial<ServerKey>) => ({
      find: () => ({ key: A.verifyKey, validUntil: 999, isOld: false, ...key }),
    });
    expect((await prepare(of, message(of), known({}))).kind).toBe(of.enforceKeyValidity ? 'dropped' : 'prepared');
    expect((await prepare(of, message(of), known({ validUntil: 1_000 }))).kind).toBe('prepared');
    const old = await prepare(of, message(of), known({ isOld: true }));
    expect(old).toMatchObject({ kind: 'dropped', wantedKeys: [] });
  });
});

describe('who must sign', () => {
  it('in versions 1 and 2 is the server in the event id too', async () => {
    const pdu = message(version('2'), { pdu: { event_id: '$other:b.example' } });
    expect((await prepare(version('2'), pdu)).kind).toBe('dropped');
    const both = signEvent(pdu, version('2'), B.name, B.signingKey);
    expect((await prepare(version('2'), both)).kind).toBe('prepared');
  });

  it.each(['join', 'leave'])(
    'is the server that authorises a restricted join too, where a %s names one, from version 8 on',
    async (membership) => {
      const content = { membership, join_authorised_via_users_server: B.user('bob') };
      const unsigned = (of: RoomVersion) => message(of, { type: 'm.room.member', stateKey: ALICE, content });
      const forged = (of: RoomVersion) => signEvent(unsigned(of), of, B.name, FORGED);
      const [seven, eight] = [version('7'), version('8')];
      for (const pdu of [forged(seven), unsigned(seven)]) expect(await kindOf(seven, pdu)).toBe('prepared');
      for (const pdu of [forged(eight), unsigned(eight)]) expect(await kindOf(eight, pdu)).toBe('dropped');
      expect(await kindOf(eight, signEvent(unsigned(eight), eight, B.name, B.signingKey))).toBe('prepared');
    },
  );

  it('is not told while the key of the server that authorises a restricted join is not known', async () => {
    const content = { membership: 'join', join_authorised_via_users_server: B.user('bob') };
    const of = version('8');
    const join = message(of, { type: 'm.room.member', stateKey: ALICE, content });
    const prepared = await prepare(of, signEvent(join, of, B.name, FORGED), keysOf(A));
    expect(prepared).toMatchObject({ kind: 'dropped', wantedKeys: [{ serverName: B.name }] });
  });

  it('is not the server of who invited, where another sends the invite of a third-party identifier on', async () => {
    const content = { membership: 'invite', third_party_invite: { signed: {} } };
    const draft = {
      type: 'm.room.member',
      sender: ALICE,
      stateKey: B.user('bob'),
      content,
      prev: ['$p'],
      auth: ['$a'],
    };
    const sent = B.make(version('11'), roomIdOf(version('11')), draft);
    expect((await prepare(version('11'), sent.text)).kind).toBe('prepared');
  });

  it('is the server of who invited all the same, where the invite of a third-party identifier was added to what it made', async () => {
    const of = version('10');
    const draft = { type: 'm.room.member', sender: ALICE, stateKey: B.user('bob'), prev: ['$p'], auth: ['$a'] };
    const { event } = B.make(of, roomIdOf(of), { ...draft, content: { membership: 'invite' } });
    const content = { membership: 'invite', third_party_invite: { signed: {} } };
    expect(await kindOf(of, { ...event.pdu, content })).toBe('dropped');
  });
});

describe('an event that its sender named itself', () => {
  it('cannot be its own parent or auth event', async () => {
    const pdu = message(version('1'), { pdu: { event_id: '$me:a.example' }, prev: ['$me:a.example'] });
    expect(await prepare(version('1'), pdu)).toMatchObject({ kind: 'dropped', reason: 'The event refers to itself' });
  });
});
