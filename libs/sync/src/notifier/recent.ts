import type { Position } from '#kernel/position';
import { LastTouched } from './last-touched.js';
import { RecentKeyChanges } from './recent-key-changes.js';
import { RecentRedactions } from './recent-redactions.js';

const MAX_TOUCHED_ROOMS = 100_000;

/** What happened lately, as far as it is worth remembering: from a position on. */
export class Recent {
  /** When something last happened in a room's timeline. */
  readonly rooms: LastTouched;
  /** When a receipt of a room last changed. */
  readonly receipts: LastTouched;
  /** When somebody last joined or left a room, or changed how they appear there. */
  readonly members: LastTouched;
  /** When events of a room were last hidden or shown again, or it was said for how long it keeps them. */
  readonly moderated: LastTouched;
  /** When the power levels of a room last changed, by which some are shown what is hidden. */
  readonly levels: LastTouched;
  /** What was redacted. */
  readonly redactions: RecentRedactions;
  /** Whose devices or keys changed. */
  readonly keyChanges: RecentKeyChanges;

  constructor(start: Position) {
    this.rooms = new LastTouched(start, MAX_TOUCHED_ROOMS);
    this.receipts = new LastTouched(start, MAX_TOUCHED_ROOMS);
    this.members = new LastTouched(start, MAX_TOUCHED_ROOMS);
    this.moderated = new LastTouched(start, MAX_TOUCHED_ROOMS);
    this.levels = new LastTouched(start, MAX_TOUCHED_ROOMS);
    this.redactions = new RecentRedactions(start);
    this.keyChanges = new RecentKeyChanges(start);
  }
}
