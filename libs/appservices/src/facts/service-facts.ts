import type { FactShapes } from '#event-store/fact-shapes';
import type { NewFact } from '#event-store/event-store';
import type { Mark } from '#projections/effects/effect-facts';

/** What is noted of sending to an application service. The last fact says all of it: those before it go from the log. */
export const SERVICE_PREFIX = 'appservice-';
export const serviceStream = (id: string): string => `${SERVICE_PREFIX}${id}`;

/** `service-transaction`: a transaction is under way, and its content is settled; whatever was before it has been accepted. */
export interface ServiceTransaction {
  /** Counted from 1. */
  readonly number: number;
  /**
   * What the last restoration of the log is called, where there was one before: what is lost had transactions of the same numbers, which the
   * service may remember.
   */
  readonly history?: string;
  /** As of when it is written, in milliseconds since the epoch. */
  readonly made_at: number;
  /** Once it is accepted nothing is left to send of what is up to here. */
  readonly up_to: Mark | null;
  /** The streams of its events, and these in their order: which stream, and the revision in it. */
  readonly streams: readonly string[];
  readonly events: readonly (readonly [stream: number, revision: number])[];
  /** What is in no stream for long, under its keys of the body: each a JSON text. */
  readonly passing?: Readonly<Record<string, string>>;
}

/** `service-followed`: nothing is left to send of what is up to a fact (null: before all), nor of any transaction. */
export interface ServiceFollowed {
  /** The number of the last transaction; 0 where there was none. */
  readonly number: number;
  readonly up_to: Mark | null;
  /** The last transaction was not accepted: an operator passed it over. */
  readonly skipped?: true;
}

/** The id under which a service is sent a transaction: no other of what was ever sent has it. */
export function transactionIdOf({ number, history }: Pick<ServiceTransaction, 'number' | 'history'>): string {
  return history === undefined ? `${number}` : `${number}-${history}`;
}

export type ServiceFact =
  | { readonly type: 'service-transaction'; readonly data: ServiceTransaction }
  | { readonly type: 'service-followed'; readonly data: ServiceFollowed };

/** What a stream says: undefined where the service is new. */
export function serviceAfter({ type, data }: Pick<NewFact, 'type' | 'data'>): ServiceFact {
  return { type, data: JSON.parse(data) as unknown } as ServiceFact; // only this library writes it
}

/** How old shapes of these facts become today's. */
export const SERVICE_SHAPES = {
  'service-transaction': [],
  'service-followed': [],
} as const satisfies FactShapes;
