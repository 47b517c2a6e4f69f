import { expect, it } from 'vitest';
import { PendingRows } from '../pending-rows.js';
import { ViewsNotRenewed } from '../read-model-errors.js';
import { WrittenKeys } from './written-keys.js';

function group(...rows: [collection: string, key: string][]): PendingRows {
  const pending = new PendingRows();
  for (const [collection, key] of rows) pending.set(collection, key, 'value');
  return pending;
}

it('notes each key once, and hands over what it has', () => {
  const written = new WrittenKeys(() => {});
  written.note(group(['a', '1'], ['a', '2'], ['b', '1']));
  written.note(group(['a', '2'], ['a', '3']));
  expect(written.count).toBe(4);
  const keys = new Map([
    ['a', new Set(['1', '2', '3'])],
    ['b', new Set(['1'])],
  ]);
  expect(written.take()).toEqual({ dropped: new Set(), keys });
  expect(written.count).toBe(0);
  expect(written.take()).toEqual({ dropped: new Set(), keys: new Map() });
});

it('forgets what was written to a collection before that was emptied', () => {
  const written = new WrittenKeys(() => {});
  written.note(group(['a', '1'], ['b', '1']));
  written.noteDropped('a');
  written.note(group(['a', '2']));
  expect(written.count).toBe(2);
  const keys = new Map([
    ['b', new Set(['1'])],
    ['a', new Set(['2'])],
  ]);
  expect(written.take()).toEqual({ dropped: new Set(['a']), keys });
});

it('says once that there are too many, and hands over nothing from then on', () => {
  const said: Error[] = [];
  const written = new WrittenKeys((reason) => said.push(reason), 2);
  written.note(group(['a', '1'], ['a', '2']));
  expect(said).toEqual([]);
  written.note(group(['a', '3']));
  written.note(group(['a', '4']));
  expect(said).toEqual([expect.any(ViewsNotRenewed)]);
  expect(written.count).toBe(0);
  expect(() => written.take()).toThrow(ViewsNotRenewed);
});
