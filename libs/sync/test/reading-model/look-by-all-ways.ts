import type { Look } from './look.js';
import { lookAround, lookAtEvents } from './look-at-events.js';
import { lookAtOverviews } from './look-at-overviews.js';
import { lookAtPages, lookForTime } from './look-at-pages.js';
import { lookAtRelations } from './look-at-relations.js';
import { lookAtSearch } from './look-at-search.js';
import { lookAtSliding } from './look-at-sliding.js';
import { lookAtState } from './look-at-state.js';
import { lookAtStream } from './look-at-stream.js';
import { lookAtSync } from './look-at-sync.js';

/** Every way there is to read a room. */
const WAYS: readonly ((look: Look) => Promise<void>)[] = [
  lookAtEvents,
  lookAround,
  lookAtPages,
  lookForTime,
  lookAtRelations,
  lookAtState,
  lookAtSync,
  lookAtSliding,
  lookAtStream,
  lookAtOverviews,
  lookAtSearch,
];

/** Looks by every way, or (in the middle of a life) by about half of them. */
export async function lookByAllWays(look: Look, isHasty: boolean): Promise<void> {
  for (const way of WAYS) if (!isHasty || look.number(2) === 0) await way(look);
}
