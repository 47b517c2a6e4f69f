import type { NewFact } from '#event-store/event-store';
import { type Position, START } from '#kernel/position';
import type { ToDeviceCollected } from '../facts/to-device-facts.js';

/** Up to where an inbox was emptied, in which log. */
export interface LastTaken {
  readonly upTo: Position;
  readonly logId: string | null;
}

export const NOTHING_TAKEN: LastTaken = Object.freeze({ upTo: START, logId: null });

/** As of a fact of its stream: of these only the last counts. */
export function foldTaken(_before: LastTaken, { data }: Pick<NewFact, 'data'>): LastTaken {
  const { up_to: upTo, log_id: logId } = JSON.parse(data) as ToDeviceCollected; // all facts there are of this shape
  return { upTo, logId };
}
