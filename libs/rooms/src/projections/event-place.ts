import type { EventId } from '#kernel/ids';
import { parseShortPosition, type Position, shortPosition } from '#kernel/position';
import { shortHash } from '#kernel/short-hash';

/** Where an event of a room stands. */
export interface EventPlace {
  readonly position: Position;
  readonly depth: number;
  /** Of its fact in the room's stream. */
  readonly revision: number;
  /** It was fetched from the past: it stands in the order of the graph alone. */
  readonly isHistory: boolean;
  /** It came as a part of a state: it stands in no order, and what is before it may not be here. */
  readonly isPlaceless?: boolean;
  /** Which of the events it is that the fact carries besides its own; left out where it is that. */
  readonly carriedAs?: number;
}

/** What stands for an event's id in a key: its hash. */
export type EventKeyPart = string & { readonly __brand: 'EventKeyPart' };

/** What stands for an event's id in the key of its row in `events`, before the room. PERF: there is a row of every event. */
export function eventKeyPart(eventId: EventId): EventKeyPart {
  return shortHash(eventId) as EventKeyPart;
}

/** Stands last in the row of an event of the past, and as the row of its place in the order of the graph. */
export const HISTORY_MARK = 'h';

/** As much for an event that stands in no order. */
const PLACELESS_MARK = 's';

/** A place as it is stored. */
export function formatEventPlace({ position, depth, revision, isHistory, isPlaceless, carriedAs }: EventPlace): string {
  const text = `${shortPosition(position)} ${depth} ${revision}`;
  return isHistory ? `${text} ${isPlaceless === true ? PLACELESS_MARK : HISTORY_MARK}${carriedAs ?? ''}` : text;
}

/** Reads what `formatEventPlace` wrote. */
export function parseEventPlace(text: string): EventPlace {
  const [digits = '', depth, revision, mark] = text.split(' ');
  const position = parseShortPosition(digits);
  if (position === undefined) throw new Error(`not a place of an event: ${text}`);
  const place = { position, depth: Number(depth), revision: Number(revision), isHistory: mark !== undefined };
  if (mark?.startsWith(PLACELESS_MARK) !== true) return place;
  const carriedAs = mark === PLACELESS_MARK ? undefined : Number(mark.slice(PLACELESS_MARK.length));
  return { ...place, isPlaceless: true, carriedAs };
}

/** A depth in a key. */
export type DepthKey = string & { readonly __brand: 'DepthKey' };

/** The depth as a key part, which sorts by its number: how many digits it has, as a letter, and the digits. Those beyond 2^53-1 count as that. */
export function depthKey(depth: number): DepthKey {
  const digits = String(Math.min(Math.max(depth, 0), Number.MAX_SAFE_INTEGER));
  return (String.fromCharCode(BEFORE_A + digits.length) + digits) as DepthKey;
}

/** The depth that `depthKey` made the key part of. */
export function depthOfKey(key: DepthKey): number {
  return Number(key.slice(1));
}

const BEFORE_A = 96;
