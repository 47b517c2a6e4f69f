import type { Position } from '#kernel/position';
import type { FactMark } from './projection-records.js';

/** How far a generation is: `live` when it moves with the shared checkpoint, else the position it has passed. */
export type Progress = 'live' | Position;

/** What is stored of a generation. */
export interface GenerationRecord {
  readonly version: number;
  readonly generation: number;
  /** Logical names, as the projector of that version had them. */
  readonly collections: readonly string[];
  readonly at: Progress;
  /** Facts that have gone by; of a live one the shared checkpoint knows better. */
  readonly facts: number;
  /** The last fact that went by while it was filled. */
  readonly mark?: FactMark;
  /** By then the log had some facts no more (`Projector.showsGone`). */
  readonly hasGone?: true;
  /** It goes on from where it stood still: it served before, or its rebuild was cancelled or failed. */
  readonly hasStoodStill?: true;
}

/** One filling of a projector's collections: written by one version of its code, from the first fact on. */
export class Generation {
  /** Logical -> physical name. */
  readonly physical: ReadonlyMap<string, string>;
  /** When set, the keys written are noted (see `compareGenerations`). */
  touched: Set<string> | undefined;
  /** How many facts its projector could not take, as far as it is known. */
  deadLetters = 0;
  at: Progress;
  /** When it last kept those waiting that moved with it (of `performance.now()`). */
  lateAt = -Infinity;
  facts: number;
  mark: FactMark | undefined;
  /** Set once something that went by while it was filled showed that the log has other facts no more (`Projector.showsGone`). */
  hasGone: true | undefined;
  /** Set where it goes on from where nobody waited for it: the log may have forgotten since what would take rows of it away (`Projector.isForgotten`). */
  hasStoodStill: true | undefined;

  constructor(
    readonly owner: string,
    readonly version: number,
    readonly generation: number,
    readonly collections: readonly string[],
    at: Progress,
    facts = 0,
  ) {
    this.at = at;
    this.facts = facts;
    this.physical = new Map(collections.map((name) => [name, `${owner}.${name}@${version}-${generation}`]));
  }

  static restore(owner: string, record: GenerationRecord): Generation {
    const { version, generation: number, collections, at, facts, mark, hasGone, hasStoodStill } = record;
    const generation = new Generation(owner, version, number, collections, at, facts);
    Object.assign(generation, { mark, hasGone, hasStoodStill });
    return generation;
  }

  toRecord(): GenerationRecord {
    const { version, generation, collections, at, facts, mark, hasGone, hasStoodStill } = this;
    return { version, generation, collections, at, facts, mark, hasGone, hasStoodStill };
  }
}
