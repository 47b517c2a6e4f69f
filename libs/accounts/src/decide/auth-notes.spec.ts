import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { given } from '#testing/given';
import type { AuthNoteFact } from '../facts/auth-note-facts.js';
import { decideNote, decideNoteEnd, decideOnlyUse, firstThatCounts, foldAuthNote, type KnownNotes, listNotes, NO_NOTES } from './auth-notes.js'; // prettier-ignore

const BEGAN = 1_700_000_000_000;
const NOW = { now: BEGAN };
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
    .when((notes) => decideNote(notes, anew.data, NOW))
    .then([anew]);
  given(decider, [noted('a'), anew])
    .when((notes) => decideNoteEnd(notes, 'a'))
    .then([ended]);
  for (const facts of [[noted('a'), ended], [noted('b')]])
    given(decider, facts)
      .when((notes) => decideNoteEnd(notes, 'a'))
      .then([]);
  given(decider, [noted('a'), ended])
    .when((notes) => decideNote(notes, anew.data, NOW))
    .then([]);
});

test('what no note is of is used once, and takes the place of none', () => {
  const use = (now: number) => (notes: KnownNotes) => decideOnlyUse(notes, ended.data, now);
  given(decider, [noted('b')])
    .when(use(BEGAN))
    .then([ended]);
  given(decider, [ended]).when(use(BEGAN)).then([]);
  given(decider, [ended])
    .when(use(BEGAN + 10_000))
    .then([ended]);
  const uses = Array.from({ length: 3_000 }, (_, n) => ({ ...ended, data: { ...ended.data, note: `u${n}` } }));
  // Nor where it is used again.
  given(decider, [...uses, ...uses])
    .when((notes) => decideNote(notes, noted('b').data, NOW))
    .then([noted('b')]);
});

test('notes are refused where they are large, or there are many', () => {
  const large = 'x'.repeat(64 * 1024);
  const many = (count: number, sealed: string) => Array.from({ length: count }, (_, n) => noted(`n${n}`, { sealed }));
  const note = noted('a').data;
  const keep = (sealed: string) => (notes: KnownNotes) => decideNote(notes, { ...note, sealed }, NOW);
  given(decider, [])
    .when(keep(`${large}x`))
    .then([]);
  given(decider, many(2_000, 'x')).when(keep('x')).then([]);
  const cheap = (notes: KnownNotes) => decideNote(notes, { ...note, sealed: 'x' }, NOW, true);
  given(decider, many(1_500, 'x')).when(cheap).then([]);
  given(decider, many(1_500, 'x'))
    .when(keep('x'))
    .then([noted('a')]);
  given(decider, many(128, large)).when(keep('x')).then([]);
  given(decider, many(127, large))
    .when(keep(large))
    .then([noted('a', { sealed: large })]);
});

test('of one owner there are fewer than of all, and only those count that are not over', () => {
  const bound = { now: BEGAN, mostOfOwner: 2 };
  const of = (note: string, owner: string, until = BEGAN + 10_000) => noted(note, { owner, until });
  const keep = (note: string) => (notes: KnownNotes) => decideNote(notes, of(note, 'alice').data, bound);
  const two = [of('a', 'alice'), of('b', 'alice')];
  given(decider, two).when(keep('c')).then([]);
  given(decider, two)
    .when(keep('b'))
    .then([of('b', 'alice')]);
  given(decider, [...two, { ...ended, data: { ...ended.data, note: 'b' } }])
    .when(keep('c'))
    .then([]);
  for (const other of [of('b', 'bob'), noted('b'), of('b', 'alice', BEGAN)])
    given(decider, [of('a', 'alice'), other])
      .when(keep('c'))
      .then([of('c', 'alice')]);
});

test('there is room for so many of one group, whoever of it they are of, and for those of others', () => {
  const bound = { now: BEGAN, most: 10, mostOfOwner: 5, mostOfGroup: 2 };
  const of = (note: string, owner: string, group: string) => noted(note, { owner, group });
  const two = [of('a', 'alice', 'one'), of('b', 'bob', 'one')];
  const keep = (group: string) => (notes: KnownNotes) => decideNote(notes, of('c', 'carol', group).data, bound);
  given(decider, two).when(keep('one')).then([]);
  given(decider, two)
    .when(keep('two'))
    .then([of('c', 'carol', 'two')]);
});

const fold = (facts: readonly { readonly type: string; readonly data: object }[]) =>
  facts.reduce<KnownNotes>(
    (state, { type, data }, n) =>
      foldAuthNote(state, { type, data: JSON.stringify(data), metadata: metadataAt(BEGAN + n) }, n),
    NO_NOTES,
  );
const namesOf = (notes: KnownNotes, now: number) => [...listNotes(notes, now)].map(([name]) => name);

test('those that are over are forgotten, and nobody needs what stands before those that count', () => {
  const notes = fold([noted('a'), noted('b', { until: BEGAN + 1 }), noted('c'), noted('a')]);
  expect(namesOf(notes, BEGAN + 5).toSorted()).toEqual(['a', 'c']);
  expect(firstThatCounts(notes, BEGAN + 5)).toBe(2);
  expect(firstThatCounts(notes, BEGAN + 10_000)).toBeUndefined();
  const many = fold(Array.from({ length: 1_000 }, (_, n) => noted(`n${n}`, { until: BEGAN + n + 1 })));
  expect(many.older.size + many.newest.size).toBeLessThan(150);
});

test('the notes are those that were kept last, however many there are, and one fact leaves most of them where they are', () => {
  const stream = Array.from({ length: 1_000 }, (_, n) => noted(`n${n % 400}`, { sealed: `${n}` }));
  const notes = fold(stream);
  expect(namesOf(notes, BEGAN)).toHaveLength(400);
  for (const [name, { sealed }] of listNotes(notes, BEGAN)) {
    const last = stream.findLast(({ data }) => data.note === name)!;
    expect(sealed).toBe(last.data.sealed);
  }
  expect(fold([...stream, noted('last')]).older.size).toBe(notes.older.size);
});

const metadataAt = (at: number) => ({ at, actor: 'server', schema: 1, chain: '' });
