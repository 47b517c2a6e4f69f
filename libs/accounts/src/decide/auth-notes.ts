import type { NewFact } from '#event-store/event-store';
import type { AuthNoteEnded, AuthNoteFact, AuthNoteKept } from '../facts/auth-note-facts.js';

/** A note that counts. Without `sealed`: it was used up. */
export interface KnownNote {
  readonly until: number;
  readonly sealed?: string;
  readonly owner?: string;
  readonly group?: string;
  /** That something was used is all: it takes no note's place. */
  readonly isUseAlone?: true;
  readonly revision: number;
}

/**
 * Notes by the hashes of their secrets, those that were kept last apart from the others: PERF, a fact copies the few, and not all. Some may be over:
 * they are forgotten where the few come to the others.
 */
export interface KnownNotes {
  readonly older: ReadonlyMap<string, KnownNote>;
  readonly newest: ReadonlyMap<string, KnownNote>;
}

const NONE: ReadonlyMap<string, KnownNote> = new Map<string, KnownNote>();

export const NO_NOTES: KnownNotes = Object.freeze({ older: NONE, newest: NONE });

/** So many are apart. */
const MOST_NEWEST = 128;

/** So many at once, of so many characters together: anybody may have some made. Who finds no room goes without. */
export const MOST_NOTES = 2_000;
/** Of those so many of what costs nobody anything to have made: the others are for whoever has shown something. */
const MOST_CHEAP = 1_500;
const MOST_CHEAP_CHARACTERS = 6 * 1024 * 1024;
const MOST_CHARACTERS = 8 * 1024 * 1024;
const MOST_OF_ONE = 64 * 1024;

/** A fact of the stream as far as it is looked at. */
type NoteFact = Pick<NewFact, 'type' | 'data'> & { readonly metadata: Pick<NewFact['metadata'], 'at'> };

/** The notes as of a fact. */
export function foldAuthNote(notes: KnownNotes, { type, data, metadata }: NoteFact, revision: number): KnownNotes {
  const fact = { type, data: JSON.parse(data) as unknown } as AuthNoteFact; // written by KeptNotes alone
  if (fact.type === 'auth-notes-over') return NO_NOTES;
  const { note, until } = fact.data;
  const before = findNote(notes, note);
  const isKept = fact.type === 'auth-note-kept';
  const { owner, group } = (isKept ? fact.data : before) ?? {};
  const known: KnownNote = {
    until,
    revision,
    ...(owner === undefined ? {} : { owner }),
    ...(group === undefined ? {} : { group }),
    ...(isKept ? { sealed: fact.data.sealed } : {}),
    ...(isKept || (before !== undefined && before.isUseAlone !== true) ? {} : { isUseAlone: true }),
  };
  const after = { older: notes.older, newest: new Map(notes.newest).set(note, known) };
  return after.newest.size < MOST_NEWEST ? after : { older: new Map(listNotes(after, metadata.at)), newest: NONE };
}

/** What is known of a note, though it may be over. */
export function findNote({ older, newest }: KnownNotes, note: string): KnownNote | undefined {
  return newest.get(note) ?? older.get(note);
}

/** All that count at a moment. */
export function* listNotes({ older, newest }: KnownNotes, now: number): Generator<[note: string, KnownNote], void> {
  for (const entry of older) if (entry[1].until > now && !newest.has(entry[0])) yield entry;
  for (const entry of newest) if (entry[1].until > now) yield entry;
}

/** How many notes there may be. */
export interface NotesBound {
  readonly now: number;
  /** By default `MOST_NOTES`. */
  readonly most?: number;
  /** Of one owner; unless told as many as of all. */
  readonly mostOfOwner?: number;
  /** Of one group; unless told as many as of all. */
  readonly mostOfGroup?: number;
}

/** Nothing where there is no room for it, or it was used up. */
export function decideNote(
  notes: KnownNotes,
  kept: AuthNoteKept,
  { now, most = MOST_NOTES, mostOfOwner = most, mostOfGroup = most }: NotesBound,
  isCheap = false,
): AuthNoteFact[] {
  const before = findNote(notes, kept.note);
  if (before !== undefined && before.until > now && before.sealed === undefined) return [];
  let [count, ofOwner, ofGroup, characters] = [0, 0, 0, kept.sealed.length];
  for (const [note, { sealed = '', owner, group, isUseAlone }] of listNotes(notes, now)) {
    if (note === kept.note || isUseAlone === true) continue;
    count++;
    characters += sealed.length;
    if (owner !== undefined && owner === kept.owner) ofOwner++;
    if (group !== undefined && group === kept.group) ofGroup++;
  }
  const isTooLong = characters > (isCheap ? MOST_CHEAP_CHARACTERS : MOST_CHARACTERS);
  const isTooMuch = isTooLong || ofOwner >= mostOfOwner || ofGroup >= mostOfGroup;
  if (kept.sealed.length > MOST_OF_ONE || isTooMuch || count >= (isCheap ? MOST_CHEAP : most)) return [];
  return [{ type: 'auth-note-kept', data: kept }];
}

/** Nothing where there is none, or it was used up before. */
export function decideNoteEnd(notes: KnownNotes, note: string): AuthNoteFact[] {
  const known = findNote(notes, note);
  return known?.sealed === undefined ? [] : [{ type: 'auth-note-ended', data: { note, until: known.until } }];
}

/** Nothing where there is one that counts. */
export function decideFirstNote(notes: KnownNotes, kept: AuthNoteKept, now: number): AuthNoteFact[] {
  const known = findNote(notes, kept.note);
  return known !== undefined && known.until > now ? [] : [{ type: 'auth-note-kept', data: kept }];
}

/** Nothing where it was used before. */
export function decideOnlyUse(notes: KnownNotes, ended: AuthNoteEnded, now: number): AuthNoteFact[] {
  const known = findNote(notes, ended.note);
  return known !== undefined && known.until > now ? [] : [{ type: 'auth-note-ended', data: ended }];
}

/** The revision of the first fact that counts at a moment; undefined where none does. */
export function firstThatCounts(notes: KnownNotes, now: number): number | undefined {
  let first: number | undefined;
  for (const [, { revision }] of listNotes(notes, now)) first = Math.min(first ?? revision, revision);
  return first;
}
