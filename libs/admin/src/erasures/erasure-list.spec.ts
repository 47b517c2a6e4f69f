import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { UserId } from '#kernel/ids';
import { addToErasureList, ErasureListDamaged, erasureListIn, lackedBy, readErasureList } from './erasure-list.js';

const [ALICE, BOB] = ['@alice:a.example' as UserId, '@bob:a.example' as UserId];
let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'annals-erasures-'));
  path = erasureListIn(folder);
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a list says who was erased and when, and nothing twice', () => {
  expect(readErasureList(path)).toEqual([]);
  expect(addToErasureList(path, [{ user_id: ALICE, at: 5, content: true, here: true }])).toBe(1);
  expect(
    addToErasureList(path, [
      { user_id: ALICE, at: 5, content: true },
      { user_id: BOB, at: 6, made: 4 },
    ]),
  ).toBe(1);
  expect(readFileSync(path, 'utf8')).toBe(
    `{"user_id":"${ALICE}","at":5,"content":true,"here":true}\n{"user_id":"${BOB}","at":6,"made":4}\n`,
  );
  expect(addToErasureList(path, readErasureList(path))).toBe(0);
});

test('of what is to be done again nothing is what is known, of the same user, the same kind, and no later', () => {
  const known = [{ user_id: ALICE, at: 5 }];
  expect(lackedBy(known, [{ user_id: ALICE, at: 5 }])).toEqual([]);
  expect(lackedBy(known, [{ user_id: ALICE, at: 4 }])).toEqual([]);
  const lacked = [
    { user_id: ALICE, at: 6 },
    { user_id: ALICE, at: 3, content: true as const },
    { user_id: BOB, at: 1 },
  ];
  expect(lackedBy(known, [...lacked, ...lacked])).toEqual(lacked);
  // Another account of that name, while the clock was behind.
  const [one, another] = [
    { user_id: ALICE, at: 5, made: 1 },
    { user_id: ALICE, at: 4, made: 2 },
  ];
  expect(lackedBy([one], [one, another])).toEqual([another]);
  // Of an account that was opened again meanwhile, likewise.
  const later = { ...one, at: 4, reopened: 5 };
  expect(lackedBy([one], [one, later])).toEqual([later]);
  addToErasureList(path, [one, later]);
  expect(lackedBy([one, later], readErasureList(path))).toEqual([]);
  expect(lackedBy([one], readErasureList(path))).toEqual([later]);
});

test.each(['{', '{"user_id":"alice","at":5}', `{"user_id":"${ALICE}"}`, '[]'])(
  'a list that says anything else is refused, and nobody is forgotten by it: %s',
  (line) => {
    writeFileSync(path, `{"user_id":"${BOB}","at":6}\n${line}\n`);
    expect(() => readErasureList(path)).toThrow(ErasureListDamaged);
    expect(() => readErasureList(path)).toThrow('line 2');
    expect(() => addToErasureList(path, [{ user_id: ALICE, at: 7 }])).toThrow(ErasureListDamaged);
    expect(readFileSync(path, 'utf8')).toContain(line);
  },
);
