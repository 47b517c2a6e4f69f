import type { Position } from '#kernel/position';
import { Turn } from '#projections/turn';
import { isHere } from '../decide/room-head.js';
import type { ForeseenEvent } from './ask-first.js';
import { FACT_BYTES } from '../facts/log-limits.js';
import { isInParts } from './in-writes.js';
import type { LiveRoom } from './live-room.js';
import { type FactContext, type PendingFact, RoomTurn } from './room-turn.js';
import { Undurable } from './undurable.js';
import type { TurnServices } from './turn-services.js';
import { refusalFor, unknownRoom } from './unknown-room.js';

/** A task in the queue of its room. */
export interface QueuedTask {
  readonly run: (turn: RoomTurn) => Promise<unknown>;
  /** It is part of a join, by which the room comes here; others see no such room meanwhile. */
  readonly isOfJoin: boolean;
  /** It is about what another server tells, and of no user here. */
  readonly isOthers: boolean;
  /** It must know what other processes have written to the room. */
  readonly isFresh: boolean;
  /** The room before its create event, for the task that may begin it. */
  readonly seed: LiveRoom | undefined;
  readonly context: FactContext;
  /** What the policy allows of the task's events; undefined where there is no policy. */
  readonly allowed: readonly ForeseenEvent[] | undefined;
  readonly resolve: (result: { readonly result: unknown; readonly position: Position | undefined }) => void;
  readonly reject: (reason: unknown) => void;
}

/** What a task came to. */
type TaskEnd = { readonly result: unknown; readonly wrote: boolean } | { readonly error: unknown };

/** Tasks that were decided, and what they append together. */
export interface Batch {
  readonly facts: PendingFact[];
  /** Of the tasks that were decided, in their order. */
  readonly ends: TaskEnd[];
  readonly undurable: Undurable;
  head: LiveRoom['head'];
  /** Of all facts, roughly. */
  bytes: number;
  /** How many of the tasks append something. */
  writers: number;
}

/** No batch grows for longer: who is in it waits for all of it, and who came meanwhile too. */
const MAX_BATCH_MS = 200;

/**
 * Decides tasks in turn, each on top of the last, as many as go into one write of `maxBytes`, or as are decided in `MAX_BATCH_MS`; one
 * alone may be larger, and take longer. PERF: the other work of the event loop has its turn meanwhile, and the batch goes on behind it
 * rather than being cut, for each append waits for the disk; measured by bench/send.ts.
 */
export async function decideBatch(
  services: TurnServices,
  room: LiveRoom,
  tasks: readonly QueuedTask[],
  maxBytes: number,
): Promise<Batch> {
  const undurable = new Undurable();
  const batch: Batch = { facts: [], ends: [], undurable, head: room.head, bytes: 0, writers: 0 };
  const loopTurn = new Turn(1);
  const begun = performance.now();
  for (const task of tasks) {
    if (!task.isOfJoin && !isHere(batch.head)) {
      batch.ends.push({ error: unknownRoom() });
      continue;
    }
    const turn = new RoomTurn(room, batch.head, undurable, task.context, services, task.allowed);
    try {
      const result = await task.run(turn);
      await turn.requireAsked();
      const bytes = bytesOf(turn.facts);
      // Decided again on top of what goes first.
      if (batch.writers > 0 && bytes > 0 && (isInParts(turn.facts) || batch.bytes + bytes > maxBytes)) break;
      batch.bytes += bytes;
      if (bytes > 0) batch.writers++;
      batch.ends.push({ result, wrote: bytes > 0 });
      batch.head = turn.head;
      batch.facts.push(...turn.facts);
      undurable.absorb(turn.undurable);
    } catch (error) {
      batch.ends.push({ error: refusalFor(task.context.actor, batch.head, error) });
    }
    if (performance.now() - begun > MAX_BATCH_MS) break;
    if (loopTurn.isOver()) await loopTurn.pass();
  }
  return batch;
}

/** Of a room that is not here another process may have completed the join, which nobody here hears of. */
export function mustCatchUp({ isFresh, isOfJoin }: QueuedTask, { head }: LiveRoom): boolean {
  return head.revision >= 0 && (isFresh || (!isOfJoin && !isHere(head)));
}

function bytesOf(facts: readonly PendingFact[]): number {
  return facts.reduce((sum, { draft }) => sum + draft.data.length + FACT_BYTES, 0);
}

/** Answers a task. `position`: up to which the batch was appended. */
export function settle(task: QueuedTask, end: TaskEnd, position: Position | undefined): void {
  if ('error' in end) task.reject(end.error);
  else task.resolve({ result: end.result, position: end.wrote ? position : undefined });
}
