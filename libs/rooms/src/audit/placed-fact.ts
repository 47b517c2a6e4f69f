import type { PduAccepted, PduRejected, PduWithState } from '../facts/room-facts.js';
import type { EventOutcome } from '../receive/known-room.js';

/** What became of an event whose state is told. */
export type PlacedFact =
  | { readonly type: 'pdu-accepted'; readonly body: PduAccepted }
  | { readonly type: 'pdu-soft-failed'; readonly body: PduWithState }
  | { readonly type: 'pdu-rejected'; readonly body: PduRejected };

/** What that is called of an event. */
export const OUTCOMES: Readonly<Record<PlacedFact['type'], EventOutcome>> = {
  'pdu-accepted': 'accepted',
  'pdu-soft-failed': 'soft-failed',
  'pdu-rejected': 'rejected',
};
