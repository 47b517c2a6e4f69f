import type { EventId } from '#kernel/ids';
import type { PduAccepted } from './room-facts.js';

/** With more extremities open than these a fact tells how they changed: thousands of them in each of thousands of facts fill a log. */
const MOST_LISTED = 20;

type ToldExtremities = Pick<PduAccepted, 'extremities' | 'ended'>;

/** How a fact tells the forward extremities after its event: `after`, which are those `before` it but for some, and the event. */
export function tellExtremities(before: readonly EventId[], after: readonly EventId[]): ToldExtremities {
  if (after.length <= MOST_LISTED) return { extremities: after };
  const left = new Set(after);
  return { ended: before.filter((eventId) => !left.has(eventId)) };
}

/** The forward extremities after an event, as its fact tells them. `before`: those before it. */
export function extremitiesAfter(
  before: readonly EventId[],
  { event_id: eventId, extremities, ended, history }: ToldExtremities & Pick<PduAccepted, 'event_id' | 'history'>,
): readonly EventId[] {
  if (extremities !== undefined) return extremities;
  const gone = new Set(ended);
  const left = before.filter((each) => !gone.has(each));
  return history === true ? left : [...left, eventId];
}
