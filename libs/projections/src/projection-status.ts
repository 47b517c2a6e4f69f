import { positionNumber, type Position } from '#kernel/position';
import type { Comparison } from './compare-generations.js';
import type { Generation } from './generation.js';
import type { NextState, Pause, Projection } from './projection.js';

export type ProjectionState = 'live' | 'catching-up' | 'rebuilding' | 'paused' | 'failed';

export interface GenerationStatus {
  readonly version: number;
  readonly generation: number;
  readonly position: Position;
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

/** The status of one projection, given the shared checkpoint, the head of the log and the speed of the live ones. */
export function statusOf(
  projection: Projection,
  live: { readonly position: Position; readonly perSecond: number },
  head: Position,
): ProjectionStatus {
  const { name, projector, serving, next, previous, paused, comparison } = projection;
  const place = (generation: Generation): GenerationStatus => ({
    version: generation.version,
    generation: generation.generation,
    position: generation.at === 'live' ? live.position : generation.at,
  });
  const state = stateOf(projection, live.position, head);
  const shown = next !== undefined && next.state !== 'cancelled' ? next.generation : serving;
  const { position } = place(shown);
  const facts = factsOf(shown, position, head);
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

function factsOf(generation: Generation, position: Position, head: Position): { done: number; of: number } {
  // What moves with the log counts no facts of its own: there the positions tell.
  if (generation.at === 'live') return { done: positionNumber(position), of: positionNumber(head) };
  const done = generation.facts;
  const share = positionNumber(head) === 0 ? 1 : positionNumber(position) / positionNumber(head);
  return { done, of: share > 0 ? Math.max(done, Math.round(done / share)) : positionNumber(head) };
}
