import type { HistoryVisibility } from '../facts/room-facts.js';

/** By what letter rows say a history visibility. No two of them differ in their case alone, which may say something else. */
export const VISIBILITY_LETTERS: Readonly<Record<HistoryVisibility, string>> = {
  invited: 'i',
  joined: 'j',
  shared: 's',
  world_readable: 'w',
};
const VISIBILITIES = Object.fromEntries(
  Object.entries(VISIBILITY_LETTERS).map(([visibility, letter]) => [letter, visibility as HistoryVisibility]),
);

/** Reads a letter of a row. Throws for any other. */
export function visibilityOf(letter: string): HistoryVisibility {
  const visibility = VISIBILITIES[letter];
  if (visibility === undefined) throw new Error(`no history visibility is written as ${letter}`);
  return visibility;
}
