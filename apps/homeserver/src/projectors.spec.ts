import { expect, test } from 'vitest';
import { checkCatalogue } from '#read-models/catalogue';
import { listProjectors } from './projectors.js';

test('every collection has one owner, and the catalogue knows it', () => {
  expect(() => checkCatalogue(listProjectors())).not.toThrow();
});
