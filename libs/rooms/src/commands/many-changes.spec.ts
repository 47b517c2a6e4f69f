import { hash } from 'node:crypto';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import { AppendTooLarge } from '#event-store/event-store-errors';
import type { EventId, RoomId } from '#kernel/ids';
import type { Row } from '#read-models/read-model-store';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { ALICE, TEST_AUTHOR } from '#testing/local-room';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { type Gap, makeGap } from '#testing/receiving/make-gap';
import { keysKnownTo } from '#testing/receiving/memory-room';
import { MemoryReadModels } from '#testing/memory-read-models';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { UncertainEventStore } from '#testing/uncertain-event-store';
import { auditRoom } from '../audit/audit-room.js';
import { stateAt } from '../audit/state-at.js';
import { currentChangeOf, type PduAccepted } from '../facts/room-facts.js';
import { erasablePlaceIn } from '../facts/fact-text.js';
import type { ChangeTold } from '../facts/told-in-parts.js';
import { ROOM_COUNTS } from '../projections/membership.projector.js';
import { listFactsOfEvent } from '../queries/list-facts-of-event.js';
import type { ServerKeys } from '../server-keys.js';
import { ReceiveOutliers } from './receive-outliers.js';
import { ReceivePdus } from './receive-pdus.js';
import { ReceiveState } from './receive-state.js';
import type { Receipt } from './receiving.js';

const OTHER = new ForeignServer('b.example', 2);
const VERSION = findRoomVersion('11')!;
const KEYS: ServerKeys = keysKnownTo(TEST_AUTHOR, OTHER);
/** What KurrentDB takes at once where nobody told it to take more. */
const LIMIT = 1024 * 1024;
const MEMBERS = 2_500;
/** A name that nobody would think of, so that the events are as large as a long profile makes them. */
const LONG = 'x'.repeat(500);

let log: UncertainEventStore;
let home: RoomCommands;
let roomId: RoomId;
/** What happens when parts are written and that which they are parts of is not. */
let onParts: (() => Promise<unknown>) | undefined;

beforeEach(async () => {
  log = new UncertainEventStore();
  onParts = undefined;
  const append = log.append.bind(log);
  log.append = async (stream, expected, facts) => {
    const bytes = facts.reduce((sum, { data, metadata }) => sum + data.length + JSON.stringify(metadata).length, 0);
    if (bytes > LIMIT) throw new AppendTooLarge('too much', LIMIT);
    const appended = await append(stream, expected, facts);
    if (facts.every(({ type }) => type === 'change-told')) await onParts?.();
    return appended;
  };
  home = new RoomCommands(new RoomViews(log), TEST_AUTHOR, KEYS);
  roomId = await home.open();
});

async function gap(count: number, name = LONG): Promise<Gap> {
  const { result: head } = await home.workers.run(roomId, { actor: ALICE }, async (turn) => turn.head);
  return makeGap({ roomId, version: VERSION, head }, OTHER, count, name);
}

const idOf = ({ event }: ForeignPdu): EventId => event.eventId;

/** Tells the gap; answers what came of the event behind it. */
async function tell({ members, state, said }: Gap): Promise<Receipt> {
  await home.execute(new ReceivePdus(OTHER.name, roomId, [said.text]));
  const texts = members.map(({ text }) => text);
  await home.execute(new ReceiveOutliers(OTHER.name, roomId, texts));
  return home.execute(new ReceiveState(OTHER.name, roomId, idOf(said), state));
}

const problems = (facts?: readonly RecordedFact[]): string[] => home.problems(roomId, facts);

const bodyOf = <T>({ data }: Pick<RecordedFact, 'data'>): T => JSON.parse(data) as T;
const last = (): PduAccepted => bodyOf(home.facts(roomId, 'pdu-accepted').at(-1)!);

/** All rows that the views have of the log when they take it in batches of some facts, hashed. */
async function rowsOf(batch: number): Promise<string> {
  const copy = new UncertainEventStore();
  const store = new MemoryReadModels();
  const views = new RoomViews(copy, store);
  for (const [i, fact] of home.log.facts.entries()) {
    await copy.append(fact.stream, fact.revision === 0 ? 'no-stream' : fact.revision - 1, [fact]);
    if (i % batch === 0) await views.follow();
  }
  await views.follow();
  const rows: Row[] = [];
  for (const name of (await store.collections()).toSorted())
    rows.push(...(await store.scan(name, { prefix: [], limit: Infinity })));
  return hash('sha256', JSON.stringify(rows));
}

describe('a gap behind which thousands of members are others', () => {
  it('is got over in small steps, between which everything else has its turn', async () => {
    const { members, state, said } = await gap(MEMBERS, 'name');
    await home.execute(new ReceivePdus(OTHER.name, roomId, [said.text]));
    await home.execute(
      new ReceiveOutliers(
        OTHER.name,
        roomId,
        members.map(({ text }) => text),
      ),
    );
    await home.views.follow();
    // Each look at the clock is a millisecond after the one before.
    let now = performance.now();
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => ++now);
    let turns = 0;
    const count = (): void => {
      turns++;
      others = setImmediate(count);
    };
    let others = setImmediate(count);
    const receipt: Receipt = await home.execute(new ReceiveState(OTHER.name, roomId, idOf(said), state));
    clearImmediate(others);
    clock.mockRestore();
    expect(receipt.received).toMatchObject([{ kind: 'accepted' }]);
    // At once it was three.
    expect(turns).toBeGreaterThan(MEMBERS / 10);
  });

  it('is got over in parts, each small enough for any log, which all count at once with the last fact', async () => {
    const told = await gap(MEMBERS);
    const [first] = told.members;
    const half: unknown[] = [];
    onParts = async () => {
      half.push(await home.membership(roomId, first!.event.sender));
      if (half.length === 1) expect(problems()).toEqual([]);
    };
    expect(await tell(told)).toMatchObject({ received: [{ kind: 'accepted', eventId: idOf(told.said) }] });
    const parts = home.facts(roomId, 'change-told');
    expect(parts.length).toBeGreaterThan(25);
    for (const { data } of parts) expect(data.length).toBeLessThan(110_000);
    expect(bodyOf<ChangeTold>(parts.at(-1)!)).toMatchObject({ part: parts.length, parts: parts.length });
    expect(last().pdu).toMatchObject({ content: { body: 'after the gap' } });
    expect(half.length).toBeGreaterThan(3);
    expect(half.every((membership) => membership === undefined)).toBe(true);
    await home.views.follow();
    expect(await ROOM_COUNTS.get(home.views, [roomId])).toMatchObject({ joined: MEMBERS + 1 });
    expect(problems()).toEqual([]);
  });

  it('leaves the room the same to whoever folds it or makes the views anew, in whatever batches', async () => {
    const told = await gap(300);
    await tell(told);
    const { sender, eventId } = told.members.at(-1)!.event;
    const cold = new RoomCommands(home.views, TEST_AUTHOR, KEYS);
    const heads = await Promise.all(
      [home, cold].map(({ workers }) => workers.run(roomId, { actor: ALICE }, async ({ head }) => head)),
    );
    expect(heads[0]!.result.state.get('m.room.member', sender)).toBe(eventId);
    expect(heads[1]!.result.state.rootHash).toBe(heads[0]!.result.state.rootHash);
    // What a member may do is read from the part that holds the member's event.
    const { result } = await cold.workers.run(roomId, { actor: ALICE }, (turn) =>
      turn.findState('m.room.member', sender),
    );
    expect(result).toMatchObject({ eventId, content: { membership: 'join' } });
    await cold.send(ALICE, roomId);
    await home.send(ALICE, roomId);
    expect(last().extremities).toHaveLength(1);
    expect(problems()).toEqual([]);
    const { revision } = home.facts(roomId, 'change-told').at(-1)!;
    const membersAt = async (moment: number): Promise<number> => {
      const { state } = await stateAt(home.views.today, roomId, { revision: moment });
      return state.filter(({ type }) => type === 'm.room.member').length;
    };
    expect([await membersAt(revision), await membersAt(revision + 1)]).toEqual([1, 301]);
    const words: string[] = [];
    for await (const { what } of auditRoom(home.views.today, roomId, { people: String, messages: false })) {
      words.push(what);
    }
    expect(words[revision]).toMatch(/^told part (\d+) of \1 of what \$/);
    expect(await rowsOf(7)).toBe(await rowsOf(Infinity));
  });
});

/** Fewer, and larger. */
const LARGE = 'x'.repeat(40_000);

describe('what is told in parts', () => {
  it('is begun anew where another process wrote to the room meanwhile, or the log failed', async () => {
    const told = await gap(40, LARGE);
    const other = new RoomCommands(home.views, TEST_AUTHOR, KEYS);
    let count = 0;
    onParts = async () => {
      if (++count === 1) await other.send(ALICE, roomId);
      if (count === 3) log.breakNext('never done');
      if (count === 5) log.breakNext('done');
    };
    for (let i = 0; i < 3; i++) await tell(told).catch(() => {});
    const [accepted, ...more] = home.facts(roomId, 'pdu-accepted').filter(({ data }) => data.includes(idOf(told.said)));
    expect(more).toEqual([]);
    const begun = home.facts(roomId, 'change-told').filter(({ data }) => bodyOf<ChangeTold>({ data }).part === 1);
    expect(begun.length).toBeGreaterThan(2);
    expect(bodyOf(accepted!)).toMatchObject({ parts: expect.any(Number) });
    expect(problems()).toEqual([]);
    expect(await home.membership(roomId, told.members.at(-1)!.event.sender)).toBe('join');
  });

  it('may be of an event of ours, which brings ends together that are far apart', async () => {
    roomId = await home.open({ room_version: '1' });
    const { result: head } = await home.workers.run(roomId, { actor: ALICE }, async (turn) => turn.head);
    // As JSON each takes two bytes.
    const long = '"'.repeat(230);
    const { members } = makeGap({ roomId, version: head.version, head }, OTHER, 220, '', {
      user: long,
      isInTurn: true,
    });
    await home.workers.run(roomId, { actor: ALICE }, async (turn) => {
      for (const { event } of members) {
        await turn.send({ type: 'org.example', sender: ALICE, stateKey: `of ${event.sender}`, content: {} });
      }
    });
    await home.execute(
      new ReceivePdus(
        OTHER.name,
        roomId,
        members.map(({ text }) => text),
      ),
    );
    await home.send(ALICE, roomId);
    expect(last()).toMatchObject({ parts: expect.any(Number), pdu: { sender: ALICE } });
    expect(last().pdu['prev_events']).toHaveLength(2);
    expect(problems()).toEqual([]);
    // What stands on it names it by the hash of what is read where it is said to be.
    const cold = new RoomCommands(home.views, TEST_AUTHOR, KEYS);
    for (const server of [home, cold, home]) await server.send(ALICE, roomId);
    expect(last().extremities).toHaveLength(1);
    expect(problems()).toEqual([]);
  });

  it('is found wanting where a part of it is not there, or not what it was', async () => {
    await tell(await gap(20, LARGE));
    const facts = home.facts(roomId);
    const at = facts.findIndex(({ type }) => type === 'change-told');
    expect(problems(facts.toSpliced(at, 1))).toEqual([expect.stringContaining('is not right before it')]);
    const forged = { ...facts[at + 1]!, data: facts[at + 1]!.data.replace('xxx', 'xxy') };
    expect(problems(facts.toSpliced(at + 1, 1, forged))).toEqual([expect.stringContaining('is not that')]);
    const silent = { ...facts[at]!, data: facts[at]!.data.replace(/"current":\[{.*?},/, '"current":[') };
    expect(problems(facts.toSpliced(at, 1, silent)).join()).toContain('what it changed in the current state');
    // Nobody takes the last fact for all of it.
    expect(() => currentChangeOf(last())).toThrow('are not there');
  });

  it('can be erased where it is, also of what did not come to its end', async () => {
    const told = await gap(20, LARGE);
    onParts = () => Promise.reject(new Error('the process ended'));
    await tell(told).catch(() => {});
    onParts = undefined;
    await home.execute(new ReceivePdus(OTHER.name, roomId, [told.said.text]));
    await home.views.follow();
    // What the first write of the first try has, the second has again.
    const carriedBy = (fact: RecordedFact): EventId[] =>
      Object.keys(bodyOf<ChangeTold>(fact).state_pdus ?? {}) as EventId[];
    const eventId = carriedBy(home.facts(roomId, 'change-told')[0]!)[0]!;
    const isOf = (fact: RecordedFact): boolean =>
      bodyOf<ChangeTold>(fact).event_id === eventId || carriedBy(fact).includes(eventId);
    const holding = home.facts(roomId).filter(isOf);
    expect(holding.map(({ type }) => type)).toEqual(['outlier-stored', 'change-told', 'change-told']);
    const revisions = await listFactsOfEvent(home.views, roomId, eventId);
    expect(revisions.toSorted((a, b) => a - b)).toEqual(holding.map(({ revision }) => revision));
    for (const { type, data, metadata } of holding) {
      expect(metadata.erasable).toBe(erasablePlaceIn(type, data));
      expect(data.slice(0, metadata.erasable)).not.toContain('xxx');
    }
  });
});
