import type { EventId, ServerName } from '#kernel/ids';
import type { RoomEvent } from '#protocol/room-event';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import type { OutlierStored, PduAccepted, PduRejected, PduSoftFailed } from '../facts/room-facts.js';
import type { DueRedaction } from '../decide/decide-event.js';
import type { EventOutcome } from './known-room.js';
import type { PolicyVerdict } from '../room-policy.js';
import type { WantedKey } from '../server-keys.js';

/** A PDU that passed what can be checked without its room (steps 1 to 3), on its way to the rest. */
export interface PreparedPdu {
  readonly kind: 'prepared';
  readonly event: RoomEvent;
  /** The PDU's canonical JSON: redacted where its content hash does not hold, and without `unsigned`. */
  readonly pduText: string;
  /** The server it came from. */
  readonly origin: ServerName;
  /** What the policy of the room says of it; undefined where that was not asked. */
  readonly verdict?: PolicyVerdict;
  /** The content hash does not hold: there may be more of it. */
  readonly isAltered?: true;
}

/** Nothing is kept of it. */
export interface Dropped {
  readonly kind: 'dropped';
  readonly reason: string;
  /** Keys that are not known: with one of them it might pass. Empty where nothing helps. */
  readonly wantedKeys: readonly WantedKey[];
  /** Who must have signed it has not: with the keys that are known, its signatures do not do. */
  readonly isUnsigned?: true;
  /** An event that came in an altered copy: whole it might pass. First of those who may have it is the server of its sender. */
  readonly wantedWhole?: EventId;
}

/** It was judged before. */
export interface AlreadyKnown {
  readonly kind: 'known';
  readonly eventId: EventId;
  readonly outcome: EventOutcome;
}

/** It cannot be judged yet, and nothing was done: these must be fetched, and be judged before it. */
export interface MissingEvents {
  readonly kind: 'missing';
  readonly eventId: EventId;
  /** Their bytes are enough: they may become outliers. */
  readonly authEvents: readonly EventId[];
  /** The state after each must be known: fetch what lies between, or the state before the event itself (`learnState`). */
  readonly parents: readonly EventId[];
  /** Its other parents: the state after each is known. */
  readonly beside: readonly EventId[];
}

/** It passed all checks but that of the policy, which is to be asked; nothing was done. */
export interface Unasked {
  readonly kind: 'unasked';
  readonly eventId: EventId;
  /** The state event of the room that names whom to ask. */
  readonly policyId: EventId | undefined;
}

interface Judged {
  readonly event: RoomEvent;
  /** The text that stands last in the fact. */
  readonly pduText: string;
  /** The state after it. */
  readonly state: StateTrie;
  readonly redactions: readonly DueRedaction[];
}

export interface Accepted extends Judged {
  readonly kind: 'accepted';
  readonly header: Omit<PduAccepted, 'pdu'>;
  /** The room's resolved current state after it. */
  readonly current: StateTrie;
  /** How many forward extremities the room has then: with so many that a merge is due (`isMergeDue`) an event of ours brings them together. */
  readonly open: number;
}

export interface SoftFailed extends Judged {
  readonly kind: 'soft-failed';
  readonly header: Omit<PduSoftFailed, 'pdu'> & { readonly reason: string };
}

export interface Rejected extends Judged {
  readonly kind: 'rejected';
  readonly header: Omit<PduRejected, 'pdu'>;
}

/** What becomes of a PDU where its place in the room is known. */
export type Outcome = Dropped | AlreadyKnown | MissingEvents | Accepted | SoftFailed | Rejected | Unasked;

/** Part of an auth chain or of a state that was told: its place in the room is not known. */
export interface StoredOutlier {
  readonly kind: 'outlier';
  readonly event: RoomEvent;
  readonly pduText: string;
  readonly header: Omit<OutlierStored, 'pdu'>;
  readonly redactions: readonly DueRedaction[];
}
