import type { FactShapes } from '#event-store/fact-shapes';
import type { NewFact } from '#event-store/event-store';
import type { ServerName } from '#kernel/ids';
import type { Mark } from '#projections/effects/effect-facts';

/** What is noted of sending to another server. The last fact says all of it: those before it go from the log at once. */
export const DESTINATION_PREFIX = 'destination-';
export const destinationStream = (server: ServerName): string => `${DESTINATION_PREFIX}${server}`;

/** Which server a stream is about. */
export const serverOfDestination = (stream: string): ServerName =>
  stream.slice(DESTINATION_PREFIX.length) as ServerName;

/** `destination-behind`: not all that the server was to be sent has been accepted by it, from a fact on. */
export interface DestinationBehind {
  /** The first fact of which something was to be sent and may not have come. */
  readonly since: Mark;
  /** How often in a row it could not be reached; 0: it is only slow. */
  readonly failures: number;
  /** Not before it is tried again, in milliseconds since the epoch, unless it is heard from. */
  readonly retry_at: number;
  /** Why it could not be reached the last time. */
  readonly error?: string;
}

/** `destination-caught-up`: it has accepted all that it was to be sent, or what stands for that. */
export type DestinationCaughtUp = Readonly<Record<string, never>>;

/** What a stream says of its server: undefined where nothing is owed to it. */
export function behindAfter({ type, data }: Pick<NewFact, 'type' | 'data'>): DestinationBehind | undefined {
  return type === 'destination-behind' ? (JSON.parse(data) as DestinationBehind) : undefined; // only this library writes it
}

/** How old shapes of these facts become today's. */
export const DESTINATION_SHAPES = {
  'destination-behind': [],
  'destination-caught-up': [],
} as const satisfies FactShapes;
