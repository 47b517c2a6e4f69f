import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type NewFact, type RecordedFact } from '#event-store/event-store';
import type { FactDraft } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { RoomId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import {
  type PurgeBegun,
  type PurgeEnded,
  type PurgeOrdered,
  PURGES_STREAM,
  type RoomHeld,
  type RoomReleased,
} from '../facts/purge-facts.js';

/** A purge that was ordered, and how it ended. */
export interface Purge extends PurgeOrdered {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly begun?: PurgeBegun;
  readonly ended?: PurgeEnded & { readonly at: number };
}

/** A room that is not purged. */
export interface Held extends RoomHeld {
  readonly at: number;
}

/** What the stream says. */
export interface PurgesState {
  /** By their ids, the oldest first: those that have not ended, and the last of those that have. */
  readonly purges: ReadonlyMap<string, Purge>;
  readonly held: ReadonlyMap<RoomId, Held>;
}

export const NO_PURGES: PurgesState = Object.freeze({ purges: new Map(), held: new Map() });

/** So many that have ended are remembered. */
const MOST_ENDED = 200;
/** Of those who left because of one that has ended so many names are. */
const MOST_NAMED = 100;
const CAUSE: Cause = { actor: 'server' };

/** The rooms that are to be purged, in their order, and those that are under hold. */
@Injectable()
export class RoomPurges {
  readonly #streams: Aggregates<PurgesState>;

  constructor(@Inject(EVENT_STORE) store: EventStore, @Inject(CLOCK) clock: Clock) {
    this.#streams = new Aggregates<PurgesState>({
      store,
      clock,
      capacity: 1,
      initialState: NO_PURGES,
      evolve: evolvePurges,
      lastOfEach: keyOfPurges,
      findOver,
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  async load(): Promise<PurgesState> {
    return (await this.#streams.load(PURGES_STREAM)).state;
  }

  /** Orders a purge; answers the one of the room that is under way, where there is one. Throws M_FORBIDDEN for a room under hold. */
  async order(order: Omit<PurgeOrdered, 'purge_id'>, actor: string): Promise<string> {
    const purge_id = randomBytes(12).toString('base64url');
    let answer = purge_id;
    const decide = ({ purges, held }: PurgesState): readonly FactDraft[] => {
      checkHold(held.get(order.room_id));
      const open = [...purges.values()].find(({ room_id: id, ended }) => id === order.room_id && ended === undefined);
      answer = open?.purge_id ?? purge_id;
      return open === undefined ? [draft('purge-ordered', `ordered ${purge_id}`, { purge_id, ...order })] : [];
    };
    await this.#streams.execute(PURGES_STREAM, decide, { actor });
    return answer;
  }

  /** Throws M_FORBIDDEN for a room under hold: also one that was held since its purge was ordered stays. */
  async checkNotHeld(roomId: RoomId): Promise<void> {
    checkHold((await this.load()).held.get(roomId));
  }

  /** Notes that it is the turn of a purge; nothing where that is known. */
  begin(begun: PurgeBegun): Promise<void> {
    return this.#note('purge-begun', begun, (known) => known.begun !== undefined);
  }

  /** Notes how a purge ended; nothing where that is known. */
  end(ended: PurgeEnded): Promise<void> {
    return this.#note('purge-ended', ended, () => false);
  }

  async #note(type: string, told: PurgeBegun | PurgeEnded, isKnown: (purge: Purge) => boolean): Promise<void> {
    const { purge_id: id } = told;
    const decide = ({ purges }: PurgesState): readonly FactDraft[] => {
      const known = purges.get(id);
      if (known === undefined || known.ended !== undefined || isKnown(known)) return [];
      return [draft(type, `${type} ${id}`, told)];
    };
    await this.#streams.execute(PURGES_STREAM, decide, CAUSE);
  }

  /** Holds a room: it is not purged until it is released. Nothing where it is held for the same reason. */
  async hold(held: RoomHeld): Promise<void> {
    const decide = (state: PurgesState, _: boolean, revision: unknown): readonly FactDraft[] => {
      const known = state.held.get(held.room_id);
      if (known !== undefined && known.reason === held.reason) return [];
      return [draft('room-held', `held ${held.room_id} ${String(revision)}`, held)];
    };
    await this.#streams.execute(PURGES_STREAM, decide, CAUSE);
  }

  /** Answers whether the room was held. */
  async release(roomId: RoomId): Promise<boolean> {
    const released: RoomReleased = { room_id: roomId };
    const decide = ({ held }: PurgesState, _: boolean, revision: unknown): readonly FactDraft[] =>
      held.has(roomId) ? [draft('room-released', `released ${roomId} ${String(revision)}`, released)] : [];
    return (await this.#streams.execute(PURGES_STREAM, decide, CAUSE)).facts.length > 0;
  }
}

function checkHold(hold: Held | undefined): void {
  if (hold === undefined) return;
  const why = hold.reason === undefined ? '' : `: ${hold.reason}`;
  throw new MatrixError('M_FORBIDDEN', `${hold.room_id} is held${why}`);
}

function draft(type: string, id: string, data: object): FactDraft {
  return { id, type, data: JSON.stringify(data) };
}

/** Pure: what the stream says with one more fact. */
export function evolvePurges({ purges, held }: PurgesState, { type, data, metadata: { at } }: NewFact): PurgesState {
  if (type === 'purge-ordered') {
    const ordered = JSON.parse(data) as PurgeOrdered;
    const known = purges.get(ordered.purge_id);
    return { held, purges: new Map(purges).set(ordered.purge_id, { ...known, ...ordered, at }) };
  }
  if (type === 'purge-begun') {
    const begun = JSON.parse(data) as PurgeBegun;
    const known = purges.get(begun.purge_id);
    return known === undefined
      ? { purges, held }
      : { held, purges: new Map(purges).set(known.purge_id, { ...known, begun }) };
  }
  if (type === 'purge-ended') {
    const ended = JSON.parse(data) as PurgeEnded;
    const known = purges.get(ended.purge_id);
    if (known === undefined) return { purges, held };
    const begun = known.begun?.left && { begun: { ...known.begun, left: known.begun.left.slice(0, MOST_NAMED) } };
    const over = { ...known, ...begun, ended: { ...ended, at } };
    return { held, purges: withoutOld(new Map(purges).set(ended.purge_id, over)) };
  }
  const { room_id: roomId, ...hold } = JSON.parse(data) as RoomHeld;
  const now = new Map(held);
  if (type === 'room-held') now.set(roomId, { room_id: roomId, ...hold, at });
  else now.delete(roomId);
  return { purges, held: now };
}

function withoutOld(purges: Map<string, Purge>): Map<string, Purge> {
  const ended = [...purges.values()].filter((purge) => purge.ended !== undefined);
  for (const { purge_id: id } of ended.slice(0, Math.max(0, ended.length - MOST_ENDED))) purges.delete(id);
  return purges;
}

/** Of an order, its beginning and its end all count, of what was held and released the last. */
function keyOfPurges({ type, data }: RecordedFact): string {
  const { purge_id: id, room_id: room } = JSON.parse(data) as Partial<PurgeOrdered>;
  return type.startsWith('purge-') ? `${type} ${id}` : `room ${room}`;
}

/** What is remembered no more, and that a room was released. */
function* findOver(counting: ReadonlyMap<string, RecordedFact>): Iterable<string> {
  const ended = [...counting.values()].filter(({ type }) => type === 'purge-ended');
  for (const { data } of ended.slice(0, Math.max(0, ended.length - MOST_ENDED))) {
    const { purge_id: id } = JSON.parse(data) as PurgeEnded;
    yield `purge-ordered ${id}`;
    yield `purge-begun ${id}`;
    yield `purge-ended ${id}`;
  }
  for (const [key, { type }] of counting) if (type === 'room-released') yield key;
}
