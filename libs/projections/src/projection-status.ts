import type { Distance, EventStore } from '#event-store/event-store';
import { START, type Position } from '#kernel/position';
import type { Comparison } from './compare-generations.js';
import type { Generation } from './generation.js';
import type { NextState, Pause, Projection } from './projection.js';

export type ProjectionState = 'live' | 'catching-up' | 'rebuilding' | 'paused' | 'failed';

export interface GenerationStatus {
  readonly version: number;
  readonly generation: number;
  readonly position: Position;
  /** What lies between there and the head of the log. */
  readonly behind: Distance;
}

/** What an operator sees of a projection, on the command line, in metrics and in the console. */
export interface ProjectionStatus {
  readonly name: string;
  readonly state: ProjectionState;
  /** The version of the code at hand. */
  readonly version: number;
  readonly serving: GenerationStatus;
  readonly next: (GenerationStatus & { readonly state: NextState; readonly switchByHand: boolean }) | undefined;
  readonly previous: GenerationStatus | undefined;
  /** Where the generation is that `state` speaks of: the next one while it is rebuilt, else the serving one. */
  readonly position: Position;
  readonly head: Position;
  /** What lies between `position` and `head`. */
  readonly behind: Distance;
  /** Facts passed of all, of that generation. `of` is exact where positions count facts, else an estimate. */
  readonly facts: { readonly done: number; readonly of: number };
  readonly factsPerSecond: number;
  /** Undefined where nothing is under way, or at no measurable speed. */
  readonly secondsLeft: number | undefined;
  readonly paused: Pause | undefined;
  readonly lastError: string | undefined;
  readonly deadLetters: number;
  /** Whether the serving generation is being compared with the one it replaced. */
  readonly isComparing: boolean;
  /** What came out when the last rebuild was compared with what it replaced. */
  readonly comparison: Comparison | undefined;
}

/** Where the log and the projections that move with it stand. */
export interface LogProgress {
  readonly log: Pick<EventStore, 'distance'>;
  readonly head: Position;
  /** The shared checkpoint. */
  readonly position: Position;
  /** Speed of the live ones. */
  readonly perSecond: number;
}

/** The status of one projection. */
export function statusOf(projection: Projection, live: LogProgress): ProjectionStatus {
  const { name, projector, serving, next, previous, paused, comparison } = projection;
  const { log, head } = live;
  const place = ({ version, generation, at }: Generation): GenerationStatus => {
    const position = at === 'live' ? live.position : at;
    return { version, generation, position, behind: log.distance(position, head) };
  };
  const state = stateOf(projection, live.position, head);
  const shown = next !== undefined && next.state !== 'cancelled' ? next.generation : serving;
  const { position, behind } = place(shown);
  const facts = factsOf(shown, position, live);
  const factsPerSecond = shown.at === 'live' ? live.perSecond : projection.meter.perSecond();
  const left = facts.of - facts.done;
  const isMoving = state === 'catching-up' || state === 'rebuilding';
  return {
    name,
    state,
    version: projector.version,
    serving: place(serving),
    next: next && { ...place(next.generation), state: next.state, switchByHand: next.byHand },
    previous: previous && place(previous),
    position,
    head,
    behind,
    facts,
    factsPerSecond: Math.round(factsPerSecond),
    secondsLeft: isMoving && factsPerSecond > 0 ? Math.ceil(left / factsPerSecond) : undefined,
    paused,
    lastError: next?.error ?? projection.lastError,
    deadLetters: serving.deadLetters,
    isComparing: serving.touched !== undefined,
    comparison,
  };
}

function stateOf({ paused, next, serving }: Projection, live: Position, head: Position): ProjectionState {
  if (paused !== undefined) return 'paused';
  if (next?.state === 'failed') return 'failed';
  if (next?.state === 'filling') return 'rebuilding';
  return serving.at === 'live' && live >= head ? 'live' : 'catching-up';
}

function factsOf({ facts }: Generation, position: Position, { log, head }: LogProgress): { done: number; of: number } {
  const passed = log.distance(START, position);
  const all = log.distance(START, head);
  if (all.unit === 'facts') return { done: passed.amount, of: all.amount };
  // How many facts are in the bytes that are left is guessed from those that were in the bytes before.
  return { done: facts, of: passed.amount === 0 ? facts : Math.round((facts * all.amount) / passed.amount) };
}
