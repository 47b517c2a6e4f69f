import type { NewFact } from '#event-store/event-store';
import type { AuthNoteFact, AuthNoteKept } from '../facts/auth-note-facts.js';

/** A note that counts. Without `sealed`: it was used up. */
export interface KnownNote {
  readonly until: number;
  readonly sealed?: string;
  readonly revision: number;
}

/** All that count, by the hashes of their secrets. */
export type KnownNotes = ReadonlyMap<string, KnownNote>;

export const NO_NOTES: KnownNotes = new Map<string, KnownNote>();

/** So many at once, of so many characters together: anybody may have some made. Who finds no room goes without. */
export const MOST_NOTES = 2_000;
/** Of those so many of what costs nobody anything to have made: the others are for whoever has shown something. */
const MOST_CHEAP = 1_500;
const MOST_CHEAP_CHARACTERS = 6 * 1024 * 1024;
const MOST_CHARACTERS = 8 * 1024 * 1024;
const MOST_OF_ONE = 64 * 1024;

/** The notes as of a fact: those whose time was over by then are forgotten. */
export function foldAuthNote(notes: KnownNotes, { type, data, metadata }: NewFact, revision: number): KnownNotes {
  const fact = { type, data: JSON.parse(data) as unknown } as AuthNoteFact; // written by AuthNotes alone
  if (fact.type === 'auth-notes-over') return NO_NOTES;
  const known = new Map([...notes].filter(([, { until }]) => until > metadata.at));
  const { note, until } = fact.data;
  known.set(note, { until, revision, ...(fact.type === 'auth-note-kept' ? { sealed: fact.data.sealed } : {}) });
  return known;
}

/** Nothing where there is no room for it, or it was used up. */
export function decideNote(notes: KnownNotes, kept: AuthNoteKept, isCheap = false, most = MOST_NOTES): AuthNoteFact[] {
  const others = [...notes].filter(([name]) => name !== kept.note).map(([, { sealed = '' }]) => sealed.length);
  const before = notes.get(kept.note);
  if (before !== undefined && before.sealed === undefined) return [];
  const isTooMuch =
    others.reduce((sum, length) => sum + length, kept.sealed.length) >
    (isCheap ? MOST_CHEAP_CHARACTERS : MOST_CHARACTERS);
  if (kept.sealed.length > MOST_OF_ONE || isTooMuch || others.length >= (isCheap ? MOST_CHEAP : most)) return [];
  return [{ type: 'auth-note-kept', data: kept }];
}

/** Nothing where there is none, or it was used up before. */
export function decideNoteEnd(notes: KnownNotes, note: string): AuthNoteFact[] {
  const known = notes.get(note);
  return known?.sealed === undefined ? [] : [{ type: 'auth-note-ended', data: { note, until: known.until } }];
}

/** The revision of the first fact that counts at a moment; undefined where none does. */
export function firstThatCounts(notes: KnownNotes, now: number): number | undefined {
  const counting = [...notes.values()].filter(({ until }) => until > now).map(({ revision }) => revision);
  return counting.length === 0 ? undefined : Math.min(...counting);
}
