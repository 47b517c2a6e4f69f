import type { EventId, UserId } from '#kernel/ids';
import { authStateOf } from '#protocol/event-auth/auth-state';
import { refuseRedactionEffect } from '#protocol/event-auth/authorize-redaction';
import type { Refusal } from '#protocol/event-auth/refusal';
import type { RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import type { PduAccepted } from '../facts/room-facts.js';
import type { VerifiedEvents } from './verified-events.js';

/** What the rule asks of an accepted redaction. */
interface AcceptedRedaction {
  readonly eventId: EventId;
  readonly sender: UserId;
  /** What held the power levels before it. */
  readonly levels: EventId | undefined;
}

/** That a redaction takes effect on an event, of which a fact is to follow. */
interface Effect {
  readonly eventId: EventId;
  readonly redactedBy: EventId;
  /** Whether it may be left out. */
  readonly isOptional: boolean;
}

/** NOTSPEC: of so many redactions that wait for an event only some are looked at, and nobody can tell which. */
const MANY = 1_000;

/** What a redaction names, where it was here before it. */
export interface Redacted {
  readonly event: RoomEvent;
  /** Whether its place is known: then it does not come once more. */
  readonly isPlaced: boolean;
}

/**
 * Which redactions are to take effect on which events, by the rules alone, at the moment when both are here. No state is kept for those
 * that came before their event: the power levels are all that the rule asks of it.
 */
export class VerifiedRedactions {
  /** By the event that they name: those that may still take effect on it, and those that the rule refuses. */
  readonly #accepted = new Map<EventId, AcceptedRedaction[]>();
  #due: Effect[] = [];

  constructor(
    private readonly version: RoomVersion,
    private readonly events: VerifiedEvents,
  ) {}

  /** Takes an event that came, whatever became of it: what redactions that came before do to it is due. */
  take(event: RoomEvent, isPlaced: boolean): void {
    const { eventId } = event;
    const redactions = this.#accepted.get(eventId);
    if (redactions === undefined) return;
    const isOptional = redactions.length >= MANY;
    const refused = redactions.filter((one) => {
      if (this.#refusal(one, event) !== undefined) return true;
      this.#due.push({ eventId, redactedBy: one.eventId, isOptional });
      return false;
    });
    if (isPlaced) this.#accepted.set(eventId, refused);
  }

  /** Takes an event that was taken before and is accepted; answers what is wrong with what its fact says of what is redacted with it. */
  accept(event: RoomEvent, before: StateTrie, redacted: Redacted | undefined, body: PduAccepted): string[] {
    const { eventId } = event;
    const due = this.#due.find((one) => one.eventId === eventId);
    const first = due?.redactedBy;
    const problems = this.#accept(event, before, redacted, body);
    if (first !== body.redacted_by && due?.isOptional !== true)
      problems.push(
        `${eventId}: is redacted by ${first ?? 'nothing'} as it comes, not by ${body.redacted_by ?? 'nothing'}`,
      );
    return problems;
  }

  /** Takes word that a redaction took effect; answers what is wrong with that. */
  settle(remains: RoomEvent, redactedBy: EventId): string[] {
    const { eventId } = remains;
    const at = this.#due.findIndex((due) => due.eventId === eventId && due.redactedBy === redactedBy);
    if (at >= 0) {
      this.#due.splice(at, 1);
      return [];
    }
    const redaction = this.#accepted.get(eventId)?.find((one) => one.eventId === redactedBy);
    const refusal = redaction && this.#refusal(redaction, remains);
    const why = refusal === undefined ? '' : `: ${refusal}`;
    return [`${eventId}: ${redactedBy}, which is to have redacted it, does not do so here${why}`];
  }

  /** What was due and has not followed. */
  takeLeftOut(): string[] {
    const due = this.#due.splice(0).filter(({ isOptional }) => !isOptional);
    return due.map(({ eventId, redactedBy }) => `${eventId}: is redacted by ${redactedBy}, and that is left out`);
  }

  #accept(event: RoomEvent, before: StateTrie, redacted: Redacted | undefined, body: PduAccepted): string[] {
    const { eventId, sender, stateKey, redacts } = event;
    const isEffectTold = body.takes_effect === true;
    if (redacts === undefined || stateKey !== undefined)
      return isEffectTold ? [`${eventId}: is to take effect, though it redacts nothing`] : [];
    const redaction = { eventId, sender, levels: before.get('m.room.power_levels', '') };
    const takesEffect = redacted !== undefined && this.#refusal(redaction, redacted.event) === undefined;
    if (takesEffect) this.#due.push({ eventId: redacts, redactedBy: eventId, isOptional: false });
    if (!takesEffect || !redacted.isPlaced) this.#keep(redacts, redaction);
    if (takesEffect === isEffectTold) return [];
    return [`${eventId}: ${takesEffect ? 'takes effect at once, which is not told' : 'does not take effect at once'}`];
  }

  #keep(redacts: EventId, redaction: AcceptedRedaction): void {
    const kept = this.#accepted.get(redacts);
    if (kept === undefined) this.#accepted.set(redacts, [redaction]);
    else kept.push(redaction);
  }

  #refusal({ sender, levels }: AcceptedRedaction, target: RoomEvent): Refusal {
    const { eventId: redacts, roomId } = target;
    const redaction = { type: 'm.room.redaction', stateKey: undefined, roomId, redacts, sender };
    const event = levels && this.events.get(levels);
    const state = authStateOf(event === undefined ? [] : [event], this.events.createEvent);
    return refuseRedactionEffect(redaction, target, state, this.version);
  }
}
