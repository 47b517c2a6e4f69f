import type { RoomId, ServerName } from '#kernel/ids';
import { type NewWaitingPdu, type Waiting, waitingKey } from '../facts/inbound-facts.js';

/**
 * How many events wait, and how much text they are. Of one host, whatever ports its servers have, a part of what is left by all: five
 * hundred where no other waits for anything, and less the more others do.
 */
const MOST = 4_500;
const MOST_UNITS = 64 * 1024 * 1024;
const PART = 8;
/** So few wait of whoever comes, up to twice as many in all: for those that come when others have taken what there was. */
const FEW = 10;
const FEW_UNITS = 1024 * 1024;
/** For so many others an event stands: far fewer than are fetched of a gap at once, for others may have sent as many in between. */
const MOST_STOOD_FOR = 50;
/** Before there is no room at all, so that where a room forks for a while a run of events goes on behind that. */
const SPARE = 10;
/** By way of so many events of other servers it is looked for what an event stands on, and so many are looked up for that. */
const MOST_WAYS = 20;
const MOST_LOOKED_UP = 60;

/** What becomes of events that are to wait. */
export interface Fit {
  /** Those that do not wait yet and do so now. */
  readonly fitting: readonly NewWaitingPdu[];
  /** Those that another one stands for from now on: of the given ones, and of those that waited. */
  readonly givingWay: readonly NewWaitingPdu[];
  /** There would be room for more if it were not for other hosts. */
  readonly isCrowded: boolean;
}

/**
 * Finds room for events of one server among those that wait. Where its host has as many as it may, events that others stand upon give way,
 * for they are fetched with these: first the parents of the event that comes, so that the end of a burst is never what is lost; of such a
 * run one in some fifty stays. Else, in the room with the most, one between two that wait. Nothing of another server gives way.
 */
export function fitWaiting(waiting: Waiting, origin: ServerName, pdus: readonly NewWaitingPdu[]): Fit {
  const part = new PartOfHost(waiting, origin);
  const fitting = new Map<string, NewWaitingPdu>();
  const givingWay = new Map<string, NewWaitingPdu>();
  let isCrowded = false;
  for (const pdu of pdus) {
    const key = waitingKey(pdu);
    if (waiting.has(key) || fitting.has(key) || givingWay.has(key)) continue;
    const placed = part.place(pdu);
    if (placed === undefined) isCrowded ||= part.wouldFitAlone(pdu);
    else {
      fitting.set(key, placed.pdu);
      for (const one of placed.instead) {
        givingWay.set(waitingKey(one), one);
        fitting.delete(waitingKey(one));
      }
    }
  }
  return {
    fitting: [...fitting.values()],
    givingWay: [...givingWay.values()],
    isCrowded,
  };
}

/** How many events wait, and how much text they are. */
interface Amount {
  readonly count: number;
  readonly units: number;
}

interface Placed {
  readonly pdu: NewWaitingPdu;
  readonly instead: readonly NewWaitingPdu[];
}

/** What waits of one host, among all that waits. */
class PartOfHost {
  readonly #waiting: Map<string, NewWaitingPdu>;
  /** In the order in which they came. */
  readonly #own: Set<NewWaitingPdu>;
  #ofOwn: Amount;
  #ofAll: Amount;
  #between: readonly NewWaitingPdu[] | undefined;

  constructor(
    waiting: Waiting,
    private readonly origin: ServerName,
  ) {
    const host = hostOf(origin);
    this.#waiting = new Map(waiting);
    this.#own = new Set([...waiting.values()].filter((pdu) => hostOf(pdu.origin) === host));
    this.#ofOwn = amountOf(this.#own);
    this.#ofAll = amountOf(waiting.values());
  }

  /** Has an event wait, others giving way to it where that is needed; undefined, and nothing done, where that does not help. */
  place(pdu: NewWaitingPdu): Placed | undefined {
    const instead: NewWaitingPdu[] = [];
    let standsFor = 0;
    const isTight = !hasRoom(this.#ofOwn, this.#ofAll, pdu, SPARE);
    for (const one of isTight ? this.#ancestorsOf(pdu) : []) {
      const stoodFor = 1 + (one.standsFor ?? 0);
      if (standsFor + stoodFor > MOST_STOOD_FOR) continue;
      standsFor += stoodFor;
      instead.push(one);
    }
    if (!this.#fits(pdu, instead)) {
      for (const one of this.#listBetween()) {
        if (!instead.includes(one)) instead.push(one);
        if (this.#fits(pdu, instead)) break;
      }
      if (!this.#fits(pdu, instead)) return undefined;
    }
    for (const one of instead) this.#remove(one);
    this.#between = this.#between?.filter((one) => this.#own.has(one));
    const placed = standsFor === 0 ? pdu : { ...pdu, standsFor };
    this.#add(placed);
    return { pdu: placed, instead };
  }

  /** Whether there would be room for an event if nobody else had anything wait. */
  wouldFitAlone(pdu: NewWaitingPdu): boolean {
    return hasRoom(this.#ofOwn, this.#ofOwn, pdu);
  }

  #fits(pdu: NewWaitingPdu, instead: readonly NewWaitingPdu[]): boolean {
    return hasRoom(plus(this.#ofOwn, instead, -1), plus(this.#ofAll, instead, -1), pdu);
  }

  /**
   * Those of the server between two others, in the room with the most, that stand for nothing: the newest first. No two of them are next to each other,
   * nor become so later: each is one more to be fetched with what stands on it, and there is never a run of them. They are looked for once,
   * and not for each event that comes with others: that would take seconds, in which nobody else has a turn.
   */
  #listBetween(): readonly NewWaitingPdu[] {
    if (this.#between !== undefined) return this.#between;
    const between: NewWaitingPdu[] = [];
    const named = new Set<NewWaitingPdu>();
    const kept = new Set<NewWaitingPdu>();
    for (const pdu of this.#listFullestRoom().toReversed()) {
      const ancestors = this.#ancestorsOf(pdu);
      const isBetween = named.has(pdu) && !kept.has(pdu) && pdu.standsFor === undefined && ancestors.size > 0;
      if (isBetween) between.push(pdu);
      for (const one of ancestors) {
        named.add(one);
        if (isBetween) kept.add(one);
      }
    }
    return (this.#between = between);
  }

  #listFullestRoom(): readonly NewWaitingPdu[] {
    const rooms = new Map<RoomId, NewWaitingPdu[]>();
    for (const pdu of this.#own) {
      if (pdu.origin !== this.origin) continue;
      const room = rooms.get(pdu.roomId);
      if (room === undefined) rooms.set(pdu.roomId, [pdu]);
      else room.push(pdu);
    }
    let fullest: readonly NewWaitingPdu[] = [];
    for (const room of rooms.values()) if (room.length > fullest.length) fullest = room;
    return fullest;
  }

  /**
   * The nearest of the same server that an event stands on and that wait, by way of what others sent that waits. Of which it is not known what
   * they stand on themselves, as what is of another server's user, is never among them: its own server may have been told that it is taken.
   */
  #ancestorsOf(pdu: NewWaitingPdu): ReadonlySet<NewWaitingPdu> {
    const { roomId } = pdu;
    const found = new Set<NewWaitingPdu>();
    const self = waitingKey(pdu);
    const ways = new Set([self]);
    let left = MOST_LOOKED_UP;
    for (const way of ways) {
      const { parents = [] } = way === self ? pdu : this.#waiting.get(way)!;
      for (const eventId of parents) {
        if (left-- === 0) return found;
        const key = waitingKey({ roomId, eventId });
        const parent = ways.has(key) ? undefined : this.#waiting.get(key);
        if (parent === undefined) continue;
        if (parent.parents !== undefined && parent.origin === pdu.origin) found.add(parent);
        else if (ways.size < MOST_WAYS) ways.add(key);
      }
    }
    return found;
  }

  #add(pdu: NewWaitingPdu): void {
    this.#waiting.set(waitingKey(pdu), pdu);
    this.#own.add(pdu);
    this.#count(pdu, 1);
  }

  #remove(pdu: NewWaitingPdu): void {
    this.#waiting.delete(waitingKey(pdu));
    this.#own.delete(pdu);
    this.#count(pdu, -1);
  }

  #count(pdu: NewWaitingPdu, sign: 1 | -1): void {
    this.#ofOwn = plus(this.#ofOwn, [pdu], sign);
    this.#ofAll = plus(this.#ofAll, [pdu], sign);
  }
}

/** Whether one more is not too many of one host, with as many in all; `spare`: and as many more like it. */
function hasRoom(own: Amount, all: Amount, { text: { length } }: NewWaitingPdu, spare = 0): boolean {
  const [count, units] = [own.count + spare, own.units + (1 + spare) * length];
  const isFew = count < FEW && units <= FEW_UNITS;
  if (isFew) return all.count < 2 * MOST && all.units + length < 2 * MOST_UNITS;
  return count < (MOST - all.count) / PART && units < (MOST_UNITS - all.units) / PART;
}

function amountOf(pdus: Iterable<NewWaitingPdu>): Amount {
  return plus({ count: 0, units: 0 }, [...pdus], 1);
}

function plus({ count, units }: Amount, pdus: readonly NewWaitingPdu[], sign: 1 | -1): Amount {
  return {
    count: count + sign * pdus.length,
    units: pdus.reduce((sum, { text }) => sum + sign * text.length, units),
  };
}

/** The host of a server, whatever its port. */
export function hostOf(server: ServerName): string {
  return server.replace(/:\d+$/, '');
}
