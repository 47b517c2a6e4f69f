import type { EventId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { RoomEvent } from '#protocol/room-event';
import type { PduAccepted } from '../facts/room-facts.js';

/** A fact's place in its room's stream and in the log. */
export interface FactPlace {
  readonly revision: number;
  readonly position: Position;
}

/** Before the first fact of a room. */
export const FIRST_PLACE: FactPlace = { revision: -1, position: START };

/** Remembered at least, so that most retries need no view; and at most, where the views have not moved for long. */
const KEPT = 1024;
const MOST_KEPT = 65_536;

/**
 * What makes an event the one of a transaction, within its room: who sent it on which device, by which path. Client-server
 * API, "Transaction identifiers": the scope is a device and an endpoint, whose path names the target of a redaction too.
 */
export function transactionName(
  event: Pick<RoomEvent, 'sender' | 'type' | 'redacts'>,
  { device_id: device, txn_id: txnId }: NonNullable<PduAccepted['txn']>,
): string {
  const { sender, type } = event;
  const target = type === 'm.room.redaction' ? (event.redacts ?? '') : '';
  // Lengths, because no separator is safe in what clients choose.
  return `${device.length},${type.length},${target.length},${txnId.length} ${device}${type}${target}${txnId}${sender}`;
}

/** A transaction of a room: its name and the event that answers it. */
export interface Answered {
  readonly name: string;
  readonly eventId: EventId;
  readonly place: FactPlace;
}

/**
 * The transactions of a room's facts from some place on: those before it are for the views to tell. Together they miss none as
 * long as the views have passed that place, which whoever asks must see to (`since`).
 */
export class RoomTransactions {
  /** Oldest first. */
  #answered = new Map<string, Answered>();
  #since: FactPlace;
  #passed: Position = START;

  /** `since`: everything after this place will be noted. */
  constructor(since: FactPlace) {
    this.#since = since;
  }

  /** Every transaction after this place is remembered. */
  get since(): FactPlace {
    return this.#since;
  }

  find(name: string): EventId | undefined {
    return this.#answered.get(name)?.eventId;
  }

  /** Notes the transaction of the newest fact. */
  note(name: string, eventId: EventId, place: FactPlace): void {
    // The first answer stands, as it does for the client.
    if (this.#answered.has(name)) return;
    this.#answered.set(name, { name, eventId, place });
    this.#forget();
  }

  /** Notes transactions of facts up to `since`, oldest first: from now on every one after `from` is remembered. */
  noteEarlier(earlier: readonly Answered[], from: FactPlace): void {
    const later = this.#answered;
    this.#answered = new Map(earlier.map((each) => [each.name, each]));
    for (const [name, each] of later) if (!this.#answered.has(name)) this.#answered.set(name, each);
    this.#since = from;
  }

  /** The views have passed this position: what is older need not be remembered. */
  viewed(position: Position): void {
    if (position > this.#passed) this.#passed = position;
  }

  #forget(): void {
    if (this.#answered.size <= KEPT) return;
    for (const [name, { place }] of this.#answered) {
      const due = this.#answered.size > KEPT && place.position <= this.#passed;
      if (!due && this.#answered.size <= MOST_KEPT) return;
      this.#answered.delete(name);
      this.#since = place;
    }
  }
}
