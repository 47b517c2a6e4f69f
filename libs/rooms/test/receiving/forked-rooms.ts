import * as fc from 'fast-check';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { DELETED } from '#protocol/state-deletion';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { firstEvents } from '#testing/receiving/make-on';
import { slowKey } from './slow-resolution.js';
import { SlowRoom } from './slow-room.js';

export const SERVERS = [
  new ForeignServer('a.example', 1),
  new ForeignServer('b.example', 2),
  new ForeignServer('c.example', 3),
] as const;

/** Who does things, and on which server. */
export const USERS = [
  { server: 0, id: SERVERS[0].user('alice') },
  { server: 1, id: SERVERS[1].user('bob') },
  { server: 1, id: SERVERS[1].user('dave') },
  { server: 2, id: SERVERS[2].user('carol') },
] as const;

const ACTS = [
  'join',
  'join',
  'leave',
  'ban',
  'ban',
  'invite',
  'levels',
  'levels',
  'rule',
  'topic',
  'topic',
  'clear',
  'say',
  'redact',
];

/** One thing that happens to a room. */
export type Step =
  | {
      readonly kind: 'act';
      readonly act: string;
      readonly user: number;
      readonly target: number;
      readonly value: number;
      readonly ts: number;
      /** Where it is put: undefined on the extremities that its server knows, else so many events back, allowed or not. */
      readonly back: readonly number[] | undefined;
      /** The depth it claims is its own idea. */
      readonly depth: number | undefined;
    }
  /** Two servers tell each other all they know. */
  | { readonly kind: 'heal'; readonly one: number; readonly other: number };

const deed: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('act' as const),
  act: fc.constantFrom(...ACTS),
  user: fc.constantFrom(0, 0, 1, 1, 2, 3),
  target: fc.nat(3),
  value: fc.constantFrom(0, 50, 100),
  ts: fc.nat(5),
  back: fc.option(fc.uniqueArray(fc.nat(8), { minLength: 1, maxLength: 3 }), { nil: undefined, freq: 2 }),
  depth: fc.option(fc.constantFrom(0, 1, 1_000, Number.MAX_SAFE_INTEGER), { nil: undefined, freq: 9 }),
});
const heal: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('heal' as const),
  one: fc.nat(2),
  other: fc.nat(2),
});

/** What happens to a room whose servers see each other from time to time. */
export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof({ weight: 5, arbitrary: deed }, { weight: 2, arbitrary: heal }),
  { minLength: 8, maxLength: 30 },
);

/** The history that some steps make: all events of all servers, each after those it refers to. */
export class ForkedRoom {
  readonly pdus: ForeignPdu[] = [];
  readonly #minds: readonly SlowRoom[];

  private constructor(readonly version: RoomVersion) {
    this.#minds = SERVERS.map(() => new SlowRoom(version));
  }

  static async of(version: RoomVersion, list: readonly Step[]): Promise<ForkedRoom> {
    const room = new ForkedRoom(version);
    for (const pdu of await firstEvents(version, SERVERS[0])) {
      room.pdus.push(pdu);
      for (const mind of room.#minds) mind.receive(pdu.event);
    }
    for (const step of list) {
      if (step.kind === 'heal') room.#heal(step.one, step.other);
      else room.#act(step);
    }
    return room;
  }

  get roomId(): RoomId {
    return this.pdus[0]!.event.roomId;
  }

  /** An event of Alice's on all events that nothing stands on: more than twenty at a time are brought together in turns. */
  merge(): ForeignPdu {
    const [mind] = this.#minds;
    for (const { event } of this.pdus) mind!.receive(event);
    for (;;) {
      const named = new Set(this.pdus.flatMap(({ event }) => event.prevEvents));
      const leaves = this.pdus.map(({ event }) => event.eventId).filter((eventId) => !named.has(eventId));
      const pdu = this.#make(
        0,
        USERS[0].id,
        { type: 'm.room.message', content: { body: 'merge' } },
        leaves.slice(0, 20),
        99,
      );
      if (leaves.length <= 20) return pdu;
    }
  }

  #heal(one: number, other: number): void {
    const [a, b] = [this.#minds[one]!, this.#minds[other]!];
    for (const { event } of this.pdus) {
      if (a.events.has(event.eventId)) b.receive(event);
      else if (b.events.has(event.eventId)) a.receive(event);
    }
  }

  #act({ act, user, target, value, ts, back, depth }: Extract<Step, { kind: 'act' }>): void {
    const { server, id } = USERS[user]!;
    const mind = this.#minds[server]!;
    const known = [...mind.events.keys()].slice(1);
    const prev =
      back === undefined
        ? mind.extremities().slice(0, 20)
        : [...new Set(back.map((each) => known[Math.max(0, known.length - 1 - each)]!))];
    const draft = this.#draft(act, id, USERS[target]!.id, value, mind, prev);
    if (draft !== undefined) this.#make(server, id, draft, prev, ts, depth);
  }

  #make(
    server: number,
    sender: UserId,
    draft: Draft,
    prev: readonly EventId[],
    ts: number,
    depth?: number,
  ): ForeignPdu {
    const mind = this.#minds[server]!;
    const auth = mind.authFor({ sender, stateKey: undefined, ...draft }, prev);
    const below = prev.reduce((most, each) => Math.max(most, mind.events.get(each)!.depth), 0);
    const all = { ...draft, sender, prev, auth, ts, depth: depth ?? Math.min(below + 1, Number.MAX_SAFE_INTEGER) };
    const pdu = SERVERS[server]!.make(this.version, this.roomId, all);
    // Doing the same twice at one moment is one event.
    if (this.pdus.every(({ event }) => event.eventId !== pdu.event.eventId)) this.pdus.push(pdu);
    mind.receive(pdu.event);
    return pdu;
  }

  #draft(
    act: string,
    sender: UserId,
    target: UserId,
    value: number,
    mind: SlowRoom,
    prev: readonly EventId[],
  ): Draft | undefined {
    switch (act) {
      case 'join':
        return { type: 'm.room.member', stateKey: sender, content: { membership: 'join' } };
      case 'leave':
      case 'ban':
      case 'invite':
        return { type: 'm.room.member', stateKey: target, content: { membership: act } };
      case 'levels': {
        const id = mind.stateBefore(prev).get(slowKey('m.room.power_levels', ''));
        const users = (id === undefined ? {} : mind.events.get(id)!.content['users']) as JsonObject;
        return { type: 'm.room.power_levels', stateKey: '', content: { users: { ...users, [target]: value } } };
      }
      case 'rule':
        return { type: 'm.room.join_rules', stateKey: '', content: { join_rule: value > 0 ? 'public' : 'invite' } };
      case 'topic':
        return { type: 'm.room.topic', stateKey: '', content: { topic: String(value) } };
      case 'clear':
        return { type: 'm.room.topic', stateKey: '', content: { [DELETED]: true } };
      case 'redact': {
        const said = [...mind.events.values()].filter(
          ({ type }) => type === 'm.room.message' || type === 'm.room.topic',
        );
        const one = said[value % Math.max(1, said.length)];
        return one === undefined ? undefined : { type: 'm.room.redaction', content: {}, redacts: one.eventId };
      }
      default:
        return { type: 'm.room.message', content: { body: `Hello ${value}` } };
    }
  }
}

interface Draft {
  readonly type: string;
  readonly stateKey?: string;
  readonly content: JsonObject;
  readonly redacts?: EventId;
}
