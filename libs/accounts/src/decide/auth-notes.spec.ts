import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { given } from '#testing/given';
import type { AuthNoteFact } from '../facts/auth-note-facts.js';
import { decideNote, decideNoteEnd, firstThatCounts, foldAuthNote, type KnownNotes, NO_NOTES } from './auth-notes.js';

const BEGAN = 1_700_000_000_000;
const decider = {
  initialState: NO_NOTES,
  evolve: foldAuthNote,
  decide: (notes: KnownNotes, decide: (notes: KnownNotes) => AuthNoteFact[]) =>
    decide(notes).map(({ type, data }) => ({ id: randomUUID(), type, data: JSON.stringify(data) })),
};
const noted = (note: string, more: object = {}) => ({
  type: 'auth-note-kept' as const,
  data: { note, until: BEGAN + 10_000, sealed: 'x', ...more },
});
const ended = { type: 'auth-note-ended' as const, data: { note: 'a', until: BEGAN + 10_000 } };

test('a note says the last that was said, until it is used up, once', () => {
  const anew = noted('a', { sealed: 'y' });
  given(decider, [noted('a')])
    .when((notes) => decideNote(notes, anew.data))
    .then([anew]);
  given(decider, [noted('a'), anew])
    .when((notes) => decideNoteEnd(notes, 'a'))
    .then([ended]);
  for (const facts of [[noted('a'), ended], [noted('b')]])
    given(decider, facts)
      .when((notes) => decideNoteEnd(notes, 'a'))
      .then([]);
  given(decider, [noted('a'), ended])
    .when((notes) => decideNote(notes, anew.data))
    .then([]);
});

test('notes are refused where they are large, or there are many', () => {
  const large = 'x'.repeat(64 * 1024);
  const many = (count: number, sealed: string) => Array.from({ length: count }, (_, n) => noted(`n${n}`, { sealed }));
  const note = noted('a').data;
  const keep = (sealed: string) => (notes: KnownNotes) => decideNote(notes, { ...note, sealed });
  given(decider, [])
    .when(keep(`${large}x`))
    .then([]);
  given(decider, many(2_000, 'x')).when(keep('x')).then([]);
  const cheap = (notes: KnownNotes) => decideNote(notes, { ...note, sealed: 'x' }, true);
  given(decider, many(1_500, 'x')).when(cheap).then([]);
  given(decider, many(1_500, 'x'))
    .when(keep('x'))
    .then([noted('a')]);
  given(decider, many(128, large)).when(keep('x')).then([]);
  given(decider, many(127, large))
    .when(keep(large))
    .then([noted('a', { sealed: large })]);
});

test('those that are over are forgotten, and nobody needs what stands before those that count', () => {
  const stream = [noted('a'), noted('b', { until: BEGAN + 1 }), noted('c'), noted('a')];
  const notes = stream.reduce<KnownNotes>(
    (state, { type, data }, n) =>
      foldAuthNote(state, { id: '', type, data: JSON.stringify(data), metadata: metadataAt(BEGAN + n) }, n),
    NO_NOTES,
  );
  expect([...notes.keys()]).toEqual(['a', 'c']);
  expect(firstThatCounts(notes, BEGAN + 5)).toBe(2);
  expect(firstThatCounts(notes, BEGAN + 10_000)).toBeUndefined();
});

const metadataAt = (at: number) => ({ at, actor: 'server', schema: 1, chain: '' });
