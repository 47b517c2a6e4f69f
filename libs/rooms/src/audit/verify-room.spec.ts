import { describe, expect, test } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { EventId, UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { hashAndSignEvent } from '#protocol/signing/sign-event';
import { eventIdOf } from '#protocol/signing/reference-hash';
import { createSigningKey, parseVerifyKey } from '#protocol/signing/signing-key';
import { ALICE, BOB, LocalRoom, TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { type PduAccepted, type PduRedacted, roomStream } from '../facts/room-facts.js';
import { factWithPdu } from '../facts/fact-text.js';
import { type Finding, type KeyRing, RoomVerifier } from './verify-room.js';

const { signingKey, serverName } = TEST_AUTHOR;
const ownKey = parseVerifyKey(signingKey.publicKey);
const keys: KeyRing = (server, keyId) => (server === serverName && keyId === signingKey.keyId ? ownKey : undefined);

const VERSIONS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12'];

/** A room with members, topics, messages, a redacted message and a redacted state event, a directory entry. */
async function livedInRoom(versionId = '11'): Promise<{ room: LocalRoom; facts: RecordedFact[] }> {
  const store = new MemoryEventStore();
  const room = await LocalRoom.begin(store, versionId);
  await room.setState('m.room.join_rules', { join_rule: 'public' });
  await room.setState('m.room.history_visibility', { history_visibility: 'joined' });
  await room.setMembership(BOB, 'join');
  const topic = await room.setState('m.room.topic', { topic: 'first' });
  const said = await room.say('unkind', BOB);
  await room.setState('m.room.topic', { topic: 'second' });
  await room.redact(said);
  await room.redact(topic);
  await room.redact(await room.setState('m.room.topic', { topic: 'third' }));
  await room.list();
  await room.say('the end');
  const facts: RecordedFact[] = [];
  for await (const fact of store.readStream(roomStream(room.roomId))) facts.push(fact);
  return { room, facts };
}

function check(room: LocalRoom, facts: readonly RecordedFact[], ring = keys): Finding[] {
  const verifier = new RoomVerifier(room.roomId, ring);
  return [...facts.flatMap((fact) => verifier.check(fact)), ...verifier.end()];
}

const problemsOf = (findings: readonly Finding[]): string => findings.map(({ problem }) => problem).join('\n');

type Body = PduAccepted | PduRedacted;

/** The facts with the one of a revision changed; the PDU's text is canonical, as the server writes it. */
function changed(
  facts: readonly RecordedFact[],
  revision: number,
  change: (body: Body) => Partial<Body>,
): RecordedFact[] {
  return facts.map((fact) => {
    if (fact.revision !== revision) return fact;
    const body = JSON.parse(fact.data) as Body;
    const { pdu, ...header } = { ...body, ...change(body) };
    return { ...fact, data: factWithPdu(header, canonicalJson(pdu, { lenient: true })) };
  });
}

function acceptedOf(fact: RecordedFact): PduAccepted {
  return JSON.parse(fact.data) as PduAccepted;
}

/** The revision of the last accepted event of a type. */
function revisionOf(facts: readonly RecordedFact[], type: string): number {
  const fact = facts.findLast((each) => each.type === 'pdu-accepted' && acceptedOf(each).pdu['type'] === type);
  if (fact === undefined) throw new Error(`no ${type}`);
  return fact.revision;
}

function contentOf(body: Body): JsonObject {
  const { content } = body.pdu;
  return isJsonObject(content) ? content : {};
}

describe.each(VERSIONS)('the facts of an untouched room of version %s', (version) => {
  test('hold, every one', async () => {
    const { room, facts } = await livedInRoom(version);
    const unverifiable: string[] = [];
    const verifier = new RoomVerifier(room.roomId, keys, undefined, (server) => unverifiable.push(server));
    expect(facts.flatMap((fact) => verifier.check(fact))).toEqual([]);
    expect(unverifiable).toEqual([]);
  });
});

describe('what was tampered with is named', () => {
  test('the content of a message: its hash no longer matches', async () => {
    const { room, facts } = await livedInRoom();
    const at = revisionOf(facts, 'm.room.message');
    const findings = check(
      room,
      changed(facts, at, (body) => ({ pdu: { ...body.pdu, content: { ...contentOf(body), body: 'forged' } } })),
    );
    const { event_id: eventId } = acceptedOf(facts[at]!);
    expect(findings).toEqual([{ revision: at, problem: `${eventId}: the content hash does not match` }]);
  });

  test('what an event id covers: the id, the hash and the signature', async () => {
    const { room, facts } = await livedInRoom();
    const at = revisionOf(facts, 'm.room.message');
    const findings = check(
      room,
      changed(facts, at, ({ pdu }) => ({ pdu: { ...pdu, origin_server_ts: 1 } })),
    );
    expect(findings.map(({ revision }) => revision)).toEqual([at, at, at]);
    expect(problemsOf(findings)).toMatch(
      /the PDU's id is \$.*\n.*the content hash does not match\n.*signature of a\.example/,
    );
  });

  test('a signature by another key under our key id', async () => {
    const { room, facts } = await livedInRoom();
    const at = revisionOf(facts, 'm.room.message');
    const forger = createSigningKey(new Uint8Array(32).fill(8), '1');
    const findings = check(
      room,
      changed(facts, at, ({ pdu }) => {
        const { signatures: _, ...unsigned } = pdu;
        return { pdu: hashAndSignEvent(unsigned, room.version, serverName, forger) };
      }),
    );
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ revision: at });
    expect(findings[0]!.problem).toContain('the signature of a.example does not hold');
  });

  test('a missing signature', async () => {
    const { room, facts } = await livedInRoom();
    const at = revisionOf(facts, 'm.room.message');
    const findings = check(
      room,
      changed(facts, at, ({ pdu }) => ({ pdu: { ...pdu, signatures: {} } })),
    );
    expect(problemsOf(findings)).toContain('the signature of a.example does not hold');
  });

  test('the root of the state', async () => {
    const { room, facts } = await livedInRoom();
    const at = revisionOf(facts, 'm.room.topic');
    const root = acceptedOf(facts[at]!).root;
    const forged = acceptedOf(facts[0]!).root;
    const findings = check(
      room,
      changed(facts, at, () => ({ root: forged })),
    );
    expect(findings).toEqual([
      { revision: at, problem: expect.stringContaining(`has the root ${root}, not ${forged}`) },
    ]);
  });

  test.each<[string, (body: PduAccepted) => Partial<PduAccepted>]>([
    ['that lacks its change', () => ({ state: [] })],
    ['that changes another key', ({ state }) => ({ state: state.map((each) => ({ ...each, state_key: 'other' })) })],
    [
      'that names another event',
      ({ state }) => ({ state: state.map((each) => ({ ...each, event_id: '$x' as EventId })) }),
    ],
    [
      'that replaces another event',
      ({ state }) => ({ state: state.map((each) => ({ ...each, replaces: '$x' as EventId })) }),
    ],
  ])('a state delta %s', async (_, change) => {
    const { room, facts } = await livedInRoom();
    const at = revisionOf(facts, 'm.room.topic');
    const findings = check(
      room,
      changed(facts, at, (body) => change(body as PduAccepted)),
    );
    expect(findings).toEqual([
      { revision: at, problem: expect.stringContaining('the state delta is not its own effect') },
    ]);
  });

  test('a state delta on a message', async () => {
    const { room, facts } = await livedInRoom();
    const at = revisionOf(facts, 'm.room.message');
    const state = acceptedOf(facts[revisionOf(facts, 'm.room.topic')]!).state;
    expect(
      problemsOf(
        check(
          room,
          changed(facts, at, () => ({ state })),
        ),
      ),
    ).toContain('not its own effect');
  });

  test('the history visibility and the extremities', async () => {
    const { room, facts } = await livedInRoom();
    const at = revisionOf(facts, 'm.room.message');
    const shown = check(
      room,
      changed(facts, at, () => ({ visibility: 'world_readable' })),
    );
    expect(shown).toEqual([{ revision: at, problem: expect.stringContaining('is joined, not world_readable') }]);
    const torn = check(
      room,
      changed(facts, at, () => ({ extremities: ['$x' as EventId] })),
    );
    expect(problemsOf(torn)).toContain('the extremities after it are');
  });

  test('an event that the state before it does not allow, however well it is signed', async () => {
    const { room, facts } = await livedInRoom();
    const at = revisionOf(facts, 'm.room.message');
    const body = acceptedOf(facts[at]!);
    const { hashes: _h, signatures: _s, ...draft } = body.pdu;
    const mallory = '@mallory:a.example' as UserId;
    const pdu = hashAndSignEvent({ ...draft, sender: mallory }, room.version, serverName, signingKey);
    const eventId = eventIdOf(pdu, room.version);
    const findings = check(
      room,
      changed(facts, at, () => ({ pdu, event_id: eventId, extremities: [eventId] })),
    );
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ revision: at });
    expect(findings[0]!.problem).toMatch(/^\$.*: not authorised by the state before it: /);
  });

  test('an event that was taken out', async () => {
    const { room, facts } = await livedInRoom();
    const at = revisionOf(facts, 'm.room.join_rules');
    const findings = check(
      room,
      facts.filter(({ revision }) => revision !== at),
    );
    expect(findings[0]).toMatchObject({ revision: at + 1 });
    expect(problemsOf(findings)).toContain('no extremity before it');
    expect(problemsOf(findings)).toContain('not authorised by the state before it');
  });

  test.each(['1', '11'])('an event that nobody redacted (room version %s)', async (version) => {
    const { room, facts } = await livedInRoom(version);
    const at = facts.findLastIndex((fact) => fact.type === 'pdu-redacted');
    const other = JSON.parse(facts.find((fact) => fact.type === 'pdu-redacted')!.data) as PduRedacted;
    const findings = check(
      room,
      changed(facts, facts[at]!.revision, () => ({ redacted_by: other.redacted_by })),
    );
    const { event_id: eventId, redacted_by: redactedBy } = JSON.parse(facts[at]!.data) as PduRedacted;
    expect(findings).toEqual([
      { revision: at, problem: expect.stringContaining('which is to have redacted it, does not') },
      { revision: at, problem: `${eventId}: is redacted by ${redactedBy}, and that is left out` },
    ]);
  });

  test.each(['1', '11'])('a redaction of what nobody is held to any more (room version %s)', async (version) => {
    const { room, facts } = await livedInRoom(version);
    const effects = facts.flatMap((fact, at) => (fact.type === 'pdu-redacted' ? [at] : []));
    expect(effects).toHaveLength(3);
    for (const at of effects) {
      const { event_id: eventId } = JSON.parse(facts[at]!.data) as PduRedacted;
      const untold = changed(facts, at - 1, () => ({ takes_effect: undefined }));
      expect(check(room, untold.toSpliced(at, 1))).toEqual([
        { revision: at - 1, problem: expect.stringContaining('takes effect at once, which is not told') },
        { revision: at - 1, problem: expect.stringContaining(`${eventId}: is redacted by`) },
      ]);
      // Also where nothing follows at all.
      expect(check(room, untold.slice(0, at))).toHaveLength(2);
    }
  });

  test('no redaction of an event that is not here', async () => {
    const store = new MemoryEventStore();
    const room = await LocalRoom.begin(store);
    await room.send({ type: 'm.room.redaction', content: { redacts: `$${'x'.repeat(43)}` } });
    const facts: RecordedFact[] = [];
    for await (const fact of store.readStream(roomStream(room.roomId))) facts.push(fact);
    expect(check(room, facts)).toEqual([]);
    const at = facts.length - 1;
    expect(
      check(
        room,
        changed(facts, at, () => ({ takes_effect: true })),
      ),
    ).toEqual([{ revision: at, problem: expect.stringContaining('does not take effect at once') }]);
  });

  test.each(['1', '11'])('the remains of a redacted event (room version %s)', async (version) => {
    const { room, facts } = await livedInRoom(version);
    const at = facts.findLastIndex((fact) => fact.type === 'pdu-redacted');
    const findings = check(
      room,
      changed(facts, at, ({ pdu }) => ({ pdu: { ...pdu, sender: BOB } })),
    );
    expect(findings.map(({ revision }) => revision)).toContain(at);
    expect(problemsOf(findings)).toContain('the signature of a.example does not hold');
  });

  test('a fact that is not even JSON, or no event', async () => {
    const { room, facts } = await livedInRoom();
    const last = facts.at(-1)!;
    const check1 = (data: string): Finding[] => check(room, [...facts.slice(0, -1), { ...last, data }]);
    expect(check1('{"broken')).toMatchObject([{ revision: last.revision }]);
    expect(check1('{"room_version":"11"}')).toEqual([{ revision: last.revision, problem: 'the fact carries no PDU' }]);
    expect(check1('{"room_version":"0","pdu":{}}')).toEqual([
      { revision: last.revision, problem: 'there is no room version 0' },
    ]);
  });
});

test('behind a fact that cannot be read, facts are checked by themselves only', async () => {
  const { room, facts } = await livedInRoom();
  const join = revisionOf(facts, 'm.room.join_rules');
  const message = revisionOf(facts, 'm.room.message');
  const forged = changed(facts, message, (body) => ({ root: 'x', pdu: { ...body.pdu, content: {} } }));
  const verifier = new RoomVerifier(room.roomId, keys);
  const findings = forged.flatMap((fact) => {
    if (fact.revision !== join) return verifier.check(fact);
    verifier.skip();
    return [];
  });
  expect(findings).toEqual([
    { revision: message, problem: expect.stringContaining('the content hash does not match') },
  ]);
});

test('that somebody may hide events is told as it is', async () => {
  const store = new MemoryEventStore();
  const room = await LocalRoom.begin(store);
  const target = await room.say('hi');
  const content = { 'm.relates_to': { rel_type: 'm.reference', event_id: target.eventId, visible: false } };
  await room.send({ type: 'm.visibility', content });
  const facts = store.facts.filter(({ stream }) => stream === roomStream(room.roomId));
  expect(check(room, facts)).toEqual([]);
  const hides = revisionOf(facts, 'm.visibility');
  expect(acceptedOf(facts[hides]!).moderates).toBe(true);
  const forged = changed(facts, hides, () => ({ moderates: undefined }));
  expect(problemsOf(check(room, forged))).toContain('may hide and show events, which is told otherwise');
});

test('events whose keys are not known are counted, and otherwise hold', async () => {
  const { room, facts } = await livedInRoom();
  const unverifiable: string[] = [];
  const none = () => undefined;
  const verifier = new RoomVerifier(room.roomId, none, undefined, (server) => unverifiable.push(server));
  expect(facts.flatMap((fact) => verifier.check(fact))).toEqual([]);
  const events = facts.filter((fact) => fact.type === 'pdu-accepted');
  expect(unverifiable).toEqual(events.map(() => serverName));
});

test('what a redaction took out of the power levels no longer counts, as for the worker that wrote the room', async () => {
  const store = new MemoryEventStore();
  const room = await LocalRoom.begin(store, '10');
  await room.setMembership(BOB, 'invite', ALICE);
  await room.setMembership(BOB, 'join');
  // Version 10 forgets `invite` in a redaction: what Bob may not do before he may do after.
  const levels = await room.setState('m.room.power_levels', { users: { [ALICE]: 100 }, invite: 50 });
  const carol = '@carol:a.example' as UserId;
  await expect(room.setMembership(carol, 'invite', BOB)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  await room.redact(levels);
  await room.setMembership(carol, 'invite', BOB);
  const facts: RecordedFact[] = [];
  for await (const fact of store.readStream(roomStream(room.roomId))) facts.push(fact);
  expect(check(room, facts)).toEqual([]);
});

test('a key that was not valid when an event says it was made is a finding, where the room version asks for that', async () => {
  for (const [version, isEnforced] of [
    ['4', false],
    ['5', true],
  ] as const) {
    const { room, facts } = await livedInRoom(version);
    const asked: boolean[] = [];
    const ring: KeyRing = (_, __, { ts, isEnforced: is }) => {
      asked.push(is && ts > 0);
      return 'not-valid';
    };
    const problems = problemsOf(check(room, facts, ring));
    expect(problems).toContain(`${serverName} signed it with a key that was not valid then`);
    expect(new Set(asked)).toEqual(new Set([isEnforced]));
  }
});
