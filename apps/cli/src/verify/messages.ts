import type { Place, LogFinding } from './finding.js';
import type { Position } from '#kernel/position';
import type { Part } from './part.js';
import type { Resume, VerifiedLog } from './verify-log.js';

/** A key, as it goes to the process that verifies: its public half only. */
export interface PublicKey {
  readonly server: string;
  readonly keyId: string;
  /** Base64. */
  readonly key: string;
  /** Of another server: until when it was ever taken for valid, and whether it was known only when it was old. None of our own has an end. */
  readonly validity?: { readonly until: number; readonly isOld: boolean };
}

/** What the verifying process is asked to do. */
export interface VerifyTask {
  readonly log: { readonly directory: string } | { readonly url: string; readonly namespace: string };
  readonly keys: readonly PublicKey[];
  /** Whose log it has to be; undefined: whosever it is. */
  readonly server?: string;
  readonly resume?: Resume;
  readonly part?: Part;
  /** Where all parts end. */
  readonly head?: Position;
  /** Only compare these numbers, and look for what is missing. */
  readonly compare?: Pick<VerifiedLog, 'facts' | 'ordered' | 'isComplete'>;
}

/** What it tells. Counts are those of this process, since it began. */
export type VerifyMessage =
  /** `facts`: undefined where positions do not count them. */
  | { readonly kind: 'head'; readonly head: Position; readonly facts: number | undefined }
  | { readonly kind: 'progress'; readonly done: number; readonly stream?: string }
  | { readonly kind: 'finding'; readonly finding: LogFinding }
  /** What was reported so far is final. */
  | { readonly kind: 'checkpoint' }
  | { readonly kind: 'done'; readonly log: VerifiedLog; readonly unverifiable: Readonly<Record<string, number>> }
  | { readonly kind: 'unopened'; readonly code: string | undefined; readonly error: string }
  | { readonly kind: 'failed'; readonly error: string }
  /** The log is another server's. */
  | { readonly kind: 'refused'; readonly error: string };

/** The descriptor on which the process keeps its place: what is written there outlives it. */
export const PLACE_DESCRIPTOR = 4;

/** A place as it is kept: one line, whatever an earlier and longer one left behind it. */
export function encodePlace(place: Place): string {
  return `${JSON.stringify(place)}\n`;
}

/** The place that was kept; undefined where none was: the process has never begun. */
export function decodePlace(text: string): Place | undefined {
  const end = text.indexOf('\n');
  return end < 0 ? undefined : (JSON.parse(text.slice(0, end)) as Place); // written by `encodePlace`
}
