import type { EventStore } from '#event-store/event-store';
import type { Clock } from '#kernel/clock';
import type { ReadModelStore } from '#read-models/read-model-store';
import type { Effect } from './effects/effect.js';
import type { LeaseTerms } from './effects/effect-lease.js';
import type { Listener } from './listener.js';
import type { Projector } from './projector.js';

/** Where the runtime tells what an operator should know. A pino logger is one. */
export interface ProjectionLog {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** A type of fact -> the type of the later one of its stream that takes it back. */
export type TakenBackBy = Readonly<Record<string, string>>;

export interface RuntimeParts {
  readonly store: EventStore;
  readonly readModels: ReadModelStore;
  readonly projectors: readonly Projector[];
  readonly listeners: readonly Listener[];
  /** None: this process does not run them (tools). */
  readonly effects?: readonly Effect[];
  /** Other processes that share the log may run the effects as well; undefined where nobody else can write to it. */
  readonly effectLease?: LeaseTerms;
  /**
   * What is taken back only once all that follows from it is done (`WhatFollows`). No effect runs for it after that, as where it is looked at once more in a copy of
   * the log (`placeOfMark`).
   */
  readonly takenBackBy?: TakenBackBy;
  /** Done with the lease of the views, before they are looked at to be written. */
  readonly beforeWriting?: () => Promise<void>;
  readonly clock: Clock;
  readonly log?: ProjectionLog;
}

export const silentLog: ProjectionLog = { info() {}, warn() {}, error() {} };

/** Facts read at once from the log. */
export const BATCH_FACTS = 1000;

export const RETRY_MS = 1000;
