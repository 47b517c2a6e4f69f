import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TodaysEventStore } from '#event-store/todays-event-store';
import { draftOf, sealFacts } from '#event-store/seal-facts';
import { INBOUND_STREAM, queuedData } from '#federation/facts/inbound-facts';
import { Refusals } from '#federation/refusals/refusals';
import { systemClock } from '#kernel/clock';
import type { EventId, UserId } from '#kernel/ids';
import { createLogger } from '#observability/logger';
import { FACT_SHAPES } from '#processes/fact-shapes';
import type { RoomEvent } from '#protocol/room-event';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import { DataFolder } from '#testing/data-folder';
import { ForkedRoom, OTHER_SERVER } from '#testing/forked-room';
import type { LocalRoom } from '#testing/local-room';
import { recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import { runAudit } from '../audit/run-audit.js';
import { EXIT } from '../failure.js';
import { runFederation } from './run-federation.js';

const CAROL = '@carol:b.example' as UserId;
const REFUSED = '$refused' as EventId;
const WAITING = '$waiting' as EventId;
const folder = new DataFolder();
let room: LocalRoom;
let said: RoomEvent;
let rejected: RoomEvent;
let softFailed: RoomEvent;

beforeAll(async () => {
  room = await folder.fill();
  await folder.write(async (store) => {
    const others = new ForkedRoom(store, room);
    const joined = await others.join(CAROL);
    const by = { sender: CAROL, prevEvents: [joined.eventId] };
    const topic = { ...by, type: 'm.room.topic', stateKey: '', content: { topic: 'mine' } };
    said = await others.receive({ ...by, type: 'm.room.message', content: { body: 'hello' } });
    rejected = await others.receive(topic, 'pdu-rejected', { reason: 'level 50 is needed', check: 'state' });
    softFailed = await others.receive({ ...topic, content: {} }, 'pdu-soft-failed', { reason: 'banned by now' });
    const refusals = new Refusals(
      new TodaysEventStore(store, FACT_SHAPES, ROOM_PARTS),
      systemClock,
      await createLogger('silent'),
    );
    const { name: origin } = OTHER_SERVER;
    const { roomId } = room;
    const sent = { room_id: roomId, txn_id: '17' };
    refusals.note(origin, { kind: 'event', event_id: REFUSED, ...sent, reason: 'The signature\u001b does not hold' });
    refusals.note(origin, { kind: 'rejected', event_id: rejected.eventId, ...sent });
    refusals.note(origin, { kind: 'soft-failed', event_id: softFailed.eventId, ...sent });
    refusals.noteUnproven(origin, 'The signature with ed25519:1 does not hold');
    await refusals.onModuleDestroy();
    // What waits for its room to come was not looked at yet.
    const text = JSON.stringify({ prev_events: [said.eventId, REFUSED, null, {}], auth_events: [null, [null]] });
    const data = queuedData({ roomId, eventId: WAITING, origin, transaction: '18', text });
    const queued = { ...draftOf({ type: 'pdu-queued', data: {} }), data, at: 1_700_000_000_000, actor: origin };
    await store.append(INBOUND_STREAM, 'no-stream', sealFacts(undefined, [queued]));
  });
});
afterAll(() => folder.remove());

/** What the command says, a check a line. */
async function ask(name: string, roomId?: string): Promise<{ code: number; lines: string[] }> {
  const terminal = recordedTerminal();
  const none = () => Promise.reject(Object.assign(new Error('none'), { code: 'ENOTFOUND' }));
  const options = { json: false, room: roomId, resolveSrv: none };
  const installation = testInstallation(folder.path, { ANNALS_FEDERATION_DENY: 'b.example' });
  return { code: await runFederation(installation, terminal, name, options), lines: terminal.lines };
}

describe('annals federation of a server', () => {
  test('tells what was refused of it lately: when, what, in which room and transaction, and why', async () => {
    const { lines } = await ask('b.example');
    const refused = lines.filter((line) => line.includes('refused 2'));
    expect(refused.map((line) => line.replace(/ 20\S+Z/, ' T'))).toEqual([
      `warn  refused T: event: $refused in ${room.roomId}, transaction 17: The signature\\u001b does not hold -> nothing is kept of it`,
      `warn  refused T: rejected: ${rejected.eventId} in ${room.roomId}, transaction 17: level 50 is needed -> it has its place in the room, where others may stand on it, and nobody is shown it`,
      `warn  refused T: soft-failed: ${softFailed.eventId} in ${room.roomId}, transaction 17: banned by now -> it has its place in the room, where others may stand on it, and nobody is shown it`,
      expect.stringMatching(/^warn {2}refused T: request: a request: The signature with ed25519:1 does not hold -> /),
    ]);
  });

  test('says where nothing was refused of it', async () => {
    expect((await ask('c.example')).lines).toContain('ok    refused: nothing lately');
  });
});

describe('annals federation of an event', () => {
  test('tells one that was accepted, what authorised it, and what waits for it', async () => {
    const { code, lines } = await ask(said.eventId);
    expect(code).toBe(EXIT.ok);
    expect(lines).toEqual([
      expect.stringMatching(/^ok {4}event: m\.room\.message of @carol:b\.example in !r:a\.example, made at 20/),
      expect.stringMatching(/^ok {4}came: from b\.example, at 20\S+ \(revision \d+\)$/),
      'ok    outcome: accepted',
      ...said.authEvents.map(() =>
        expect.stringMatching(/^ok {4}auth event \$\S+: accepted: m\.room\.\S+.* of @\S+ \(revision \d+\)$/),
      ),
      expect.stringMatching(/^ok {4}parent \$\S+: accepted: m\.room\.member \(@carol:b\.example\) of @carol/),
      expect.stringMatching(/^warn {2}waits for it: \$waiting from b\.example, since 2023-\S+ -> /),
      expect.stringMatching(/ ok, 1 warning, 0 failures$/),
    ]);
  });

  test.each([
    ['was rejected', () => rejected, /^warn {2}outcome: rejected by the state before it: level 50 is needed -> /],
    ['soft-failed', () => softFailed, /^warn {2}outcome: soft-failed: .* as it was then: banned by now -> /],
  ])('tells one that %s, by which check and why', async (_, event, outcome) => {
    const { code, lines } = await ask(event().eventId, room.roomId);
    expect([code, lines[2]]).toEqual([EXIT.ok, expect.stringMatching(outcome)]);
    expect(lines).toContain('ok    waits for it: nothing');
  });

  test('tells one that was refused before it was kept, and what waits for it all the same', async () => {
    const { code, lines } = await ask(REFUSED);
    expect(code).toBe(EXIT.ok);
    expect(lines[0]).toMatch(
      /^warn {2}refused 20\S+: event: \$refused in !r:a\.example, transaction 17: by b\.example: The signature/,
    );
    expect(lines[1]).toMatch(/waits for it: \$waiting/);
  });

  test('tells one that waits for what it misses', async () => {
    const { lines } = await ask(WAITING);
    expect(lines[0]).toMatch(
      /^warn {2}outcome: waits for what it misses in !r:a\.example, from b\.example in transaction 18, since 2023-/,
    );
  });

  test('fails for one that is unknown, and for a room that has nothing of it', async () => {
    const unknown = {
      code: EXIT.found,
      lines: expect.arrayContaining([expect.stringContaining('fail  event: unknown')]),
    };
    expect(await ask('$nowhere')).toEqual(unknown);
    expect(await ask(said.eventId, '!other:a.example')).toEqual(unknown);
  });
});

describe('annals audit', () => {
  const audit = async (options: object): Promise<string[]> => {
    const terminal = recordedTerminal();
    await runAudit(testInstallation(folder.path), terminal, { room: room.roomId, json: false, ...options });
    return terminal.lines;
  };

  test('tells which server sent what, what was refused of it and why, kept or not', async () => {
    const lines = await audit({ verbose: true });
    const of = (text: string) => lines.find((line) => line.includes(text));
    expect(of('sent a message (no msgtype')).toMatch(/ \(from b\.example\) {2}\$/);
    expect(lines.filter((line) => line.includes('(from b.example)'))).toHaveLength(4);
    expect(of('(rejected: level 50 is needed)')).toContain(CAROL);
    expect(of('(soft-failed, nobody is shown it: banned by now)')).toContain(CAROL);
    const refused =
      /^ {5}- {2}20\S+ {2}b\.example sent \$refused, which was refused: The signature\\u001b does not hold \(transaction 17\)$/;
    expect(of('$refused')).toMatch(refused);
    expect((await audit({ from: 1 })).join()).not.toContain(REFUSED);
    const json = (await audit({ json: true })).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(json.find(({ event_id: id }) => id === REFUSED)).toMatchObject({
      fact: 'refused',
      actor: 'b.example',
      transaction: '17',
    });
    expect(json.find(({ event_id: id }) => id === said.eventId)).toMatchObject({ origin: 'b.example' });
  });

  test('shows it on a page too', async () => {
    const html = join(folder.path, 'page.html');
    await audit({ html });
    const page = readFileSync(html, 'utf8');
    expect(page).toContain('<summary>1 refused of other servers lately</summary>');
    expect(page).toContain(
      'b.example sent $refused, which was refused: The signature\\u001b does not hold (transaction 17)',
    );
    expect(page).toContain('"origin":"b.example"');
  });
});
