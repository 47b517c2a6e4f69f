import { randomBytes } from 'node:crypto';
import type { FactShapes } from '#event-store/fact-shapes';
import type { FactDraft } from '#event-store/seal-facts';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonValue } from '#kernel/json';

/** What users reported to the operators of this server, one after another. */
export const REPORTS_STREAM = 'reports';

/** What is reported: an event of a room, a room, or a user. */
export type ReportedThing =
  | { readonly kind: 'event'; readonly room_id: RoomId; readonly event_id: EventId; readonly sender: UserId }
  | { readonly kind: 'room'; readonly room_id: RoomId }
  | { readonly kind: 'user'; readonly user_id: UserId };

/** What is told with a report. It goes once the report is closed. */
export interface ToldReport {
  readonly reason: string;
  /** What was reported, as whoever reported it was shown it then: it may be redacted since. */
  readonly content?: JsonValue;
}

/** `content-reported`. What is told comes last, with a salt: it can be erased. */
export interface ContentReported {
  readonly by: UserId;
  readonly thing: ReportedThing;
  /** null once it is erased. */
  readonly told: (ToldReport & { readonly salt: string }) | null;
}

/** `report-closed`: an operator is done with a report. */
export interface ReportClosed {
  /** The revision of the report. */
  readonly report: number;
}

const SALT_BYTES = 16;

/** What takes the place of what was told. */
export const NOTHING_TOLD = 'null}';

/** The fact of a report. What was told can be erased, and cannot be guessed from its hash then. */
export function reportDraft(by: UserId, thing: ReportedThing, told: ToldReport): FactDraft {
  const start = `${JSON.stringify({ by, thing }).slice(0, -1)},"told":`;
  const salt = randomBytes(SALT_BYTES).toString('base64url');
  const data = `${start}${JSON.stringify({ ...told, salt })}}`;
  return { id: `reported ${JSON.stringify(thing)}`, type: 'content-reported', data, erasable: start.length };
}

/** How old shapes of these facts become today's. */
export const REPORT_SHAPES = {
  'content-reported': [],
  'report-closed': [],
} as const satisfies FactShapes;
