import type { RecordedFact } from '#event-store/event-store';
import { messageOf } from '#kernel/message-of';
import { START, type Position } from '#kernel/position';
import type { Comparison } from './compare-generations.js';
import { Generation, type GenerationRecord } from './generation.js';
import { Meter } from './meter.js';
import type { Projector } from './projector.js';

/**
 * What becomes of a generation that is filled beside the serving one: `filling` goes on by itself, also after a restart;
 * `ready` moves with the log and waits for `switch`; `cancelled` and `failed` wait for a command.
 */
export type NextState = 'filling' | 'ready' | 'cancelled' | 'failed';

export interface NextRecord extends GenerationRecord {
  readonly state: NextState;
  /** Whether it only serves once told to (`switch`). */
  readonly byHand: boolean;
  readonly error?: string;
}

export interface Pause {
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** What is stored of a projection, but for the positions of what is live. */
export interface ProjectionRecord {
  readonly lastGeneration: number;
  readonly serving: GenerationRecord;
  /** What served before, for `rollback`. */
  readonly previous?: GenerationRecord;
  readonly next?: NextRecord;
  readonly paused?: Pause;
  readonly comparison?: Comparison;
}

/** The record of a projection that nothing is stored of: it moves with the log where the log is followed from its beginning. */
export function firstRecord({ version, collections }: Projector, checkpoint: Position): ProjectionRecord {
  const at = checkpoint === START ? 'live' : START;
  return { lastGeneration: 1, serving: { version, generation: 1, collections, at, facts: 0 } };
}

/** A generation that is being filled. */
export interface Next {
  readonly generation: Generation;
  state: NextState;
  byHand: boolean;
  error: string | undefined;
}

/** One projector and its generations, while the runtime runs. */
export class Projection {
  readonly name: string;
  lastGeneration: number;
  serving: Generation;
  previous: Generation | undefined;
  next: Next | undefined;
  paused: Pause | undefined;
  comparison: Comparison | undefined;
  lastError: string | undefined;
  /** The work under way that fills the serving or the next generation, and the way to end it. */
  readonly fillings = new Map<Generation, { readonly abort: AbortController; readonly done: Promise<void> }>();
  readonly meter = new Meter();

  constructor(
    readonly projector: Projector,
    record: ProjectionRecord,
  ) {
    this.name = projector.name;
    const restore = (each: GenerationRecord): Generation => Generation.restore(projector.name, each);
    this.lastGeneration = record.lastGeneration;
    this.serving = restore(record.serving);
    this.previous = record.previous && restore(record.previous);
    this.next = record.next && {
      generation: restore(record.next),
      state: record.next.state,
      byHand: record.next.byHand,
      error: record.next.error,
    };
    this.paused = record.paused;
    this.comparison = record.comparison;
  }

  /** Whether the code at hand can write the serving generation: else it stays as it is until the next one serves. */
  get isWritable(): boolean {
    return this.serving.version === this.projector.version;
  }

  /** Whether the serving generation moves, with all others or by itself. */
  get isMoving(): boolean {
    return this.serving.at === 'live' || (this.isWritable && this.paused === undefined);
  }

  /** Whether today's queries can read what serves. */
  get isReadable(): boolean {
    return this.isWritable || this.serving.version >= (this.projector.readableSince ?? 0);
  }

  /** Lets go of a next generation that other code has begun, as where an older version comes back before that was done: what this one wrote there would serve that one. Answers it. */
  letGoOfOthers(): Generation | undefined {
    const { generation } = this.next ?? {};
    if (generation === undefined || generation.version === this.projector.version) return undefined;
    this.next = undefined;
    return generation;
  }

  /** The serving generation was written by other code: it stands still, and one of today's code is filled beside it. Answers whether that begins now. */
  leaveBehind(checkpoint: Position): boolean {
    const { serving, previous, next, projector } = this;
    if (serving.at === 'live') serving.at = checkpoint;
    if (next?.generation.version === projector.version) return false;
    const isBack = previous?.version === projector.version;
    const generation = isBack ? previous : this.makeGeneration(START);
    if (isBack) {
      generation.hasStoodStill = true;
      this.previous = undefined;
    }
    this.next = { generation, state: 'filling', byHand: false, error: undefined };
    return true;
  }

  /** Tells how many facts have gone by the generations that move with the shared checkpoint. */
  takeCount(facts: number): void {
    for (const generation of [this.serving, this.next?.generation]) {
      if (generation?.at === 'live') generation.facts = facts;
    }
  }

  /** Makes an empty generation of the code at hand. */
  makeGeneration(at: Position): Generation {
    const { version, collections } = this.projector;
    return new Generation(this.name, version, ++this.lastGeneration, collections, at);
  }

  toRecord(): ProjectionRecord {
    const { lastGeneration, serving, previous, next, paused, comparison } = this;
    return {
      lastGeneration,
      serving: serving.toRecord(),
      previous: previous?.toRecord(),
      next: next && { ...next.generation.toRecord(), state: next.state, byHand: next.byHand, error: next.error },
      paused,
      comparison,
    };
  }
}

/** How an error is shown to an operator, with the place of the fact it came from. */
export function describeBadFact(fact: RecordedFact, error: unknown): string {
  const reason = messageOf(error);
  return `${fact.type} at position ${fact.position} (${fact.stream}, revision ${fact.revision}): ${reason}`;
}
