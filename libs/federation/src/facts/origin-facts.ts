import type { NewFact } from '#event-store/event-store';
import type { FactShapes } from '#event-store/fact-shapes';
import type { ServerName } from '#kernel/ids';

/** What another server's transactions were answered: the last fact counts, and those before it go from the log. */
export const ORIGIN_STREAM_PREFIX = 'origin-';
export const originStream = (origin: ServerName): string => `${ORIGIN_STREAM_PREFIX}${origin}`;

/** What became of a PDU: nothing else is said where it was taken. */
export interface PduResult {
  readonly error?: string;
}

/** What became of each PDU of a transaction, by its event id. */
export type PduResults = Readonly<Record<string, PduResult>>;

/** `transaction-received`: all that a transaction held was taken or refused, and this is what its server is told, however often it asks. */
export interface TransactionReceived {
  readonly txn_id: string;
  readonly pdus: PduResults;
}

/** What a fact tells. */
export function readTransaction({ data }: Pick<NewFact, 'data'>): TransactionReceived {
  return JSON.parse(data) as TransactionReceived; // what this library appended under this type has this shape
}

/** How old shapes of these facts become today's. */
export const ORIGIN_SHAPES = {
  'transaction-received': [],
} as const satisfies FactShapes;
