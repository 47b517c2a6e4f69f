import { expect, it } from 'vitest';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Logger } from '#observability/logger';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { turnsOf } from '#testing/turns-of';
import type { AnyEduHandler } from './edu-handlers.js';
import { TakeEdus } from './take-edus.js';

const B = 'b.example' as ServerName;
const everywhere = { isLetIn: async () => true };

/** What takes EDUs by some handlers, with the lines that it logs. */
function takingBy(...handlers: AnyEduHandler[]): {
  edus: TakeEdus;
  lines: object[];
} {
  const lines: object[] = [];
  const logger = {
    warn: (fields: object) => void lines.push(fields),
  } as unknown as Logger;
  return { edus: new TakeEdus(handlers, everywhere, { note: () => {} }, logger), lines };
}
const edu = (edu_type: string, n = 0): JsonObject => ({
  edu_type,
  content: { n },
});
const failing = (type: string): AnyEduHandler => ({
  type,
  receive: async (_, { n }) => {
    throw new Error(`no ${String(n)}`);
  },
});

it('logs one line for all EDUs of a transaction that were not taken, with how many of each type', async () => {
  const gathering: AnyEduHandler = {
    type: 'm.all',
    receiveAll: () => Promise.reject(new Error('none')),
  };
  const { edus, lines } = takingBy(failing('m.bad'), failing('m.worse'), gathering);
  await edus.take(
    B,
    [edu('m.bad', 1), edu('m.all'), edu('m.bad', 2), edu('m.worse', 3), edu('m.all'), edu('m.all')],
    '1',
  );
  const failed = {
    'm.bad': { count: 2, reason: 'no 2' },
    'm.worse': { count: 1, reason: 'no 3' },
    'm.all': { count: 3, reason: 'none' },
  };
  expect(lines).toEqual([{ origin: B, failed }]);
});

it('logs none where all are taken', async () => {
  const { edus, lines } = takingBy({ type: 'm.good', receive: async () => {} });
  await edus.take(B, [edu('m.good'), edu('m.unknown'), 7], '1');
  expect(lines).toEqual([]);
});

it('lets everything else have its turn while many are taken, and while it is asked of many rooms who may speak there', async () => {
  const { edus } = takingBy(
    { type: 'm.good', receive: async () => {} },
    { type: 'm.receipt', receiveAll: async () => {} },
  );
  const many = Array.from({ length: 100 }, () => edu('m.good'));
  expect(await turnsOf(() => edus.take(B, many, '1'))).toBeGreaterThan(50);
  const content = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`!r${i}:b.example`, {}]));
  expect(await turnsOf(() => edus.take(B, [{ edu_type: 'm.receipt', content }], '1'))).toBeGreaterThan(100);
});

it('gives those of which only the last count to their handler at once, behind the others', async () => {
  const taken: unknown[] = [];
  const { edus } = takingBy(
    { type: 'm.one', receive: async (_, { n }) => void taken.push(n) },
    {
      type: 'm.all',
      receiveAll: async (_, contents) => void taken.push(contents.map(({ n }) => n)),
    },
  );
  await edus.take(B, [edu('m.all', 1), edu('m.one', 2), edu('m.all', 3), edu('m.one', 4)], '1');
  expect(taken).toEqual([2, 4, [1, 3]]);
});

it('says what failed also where the rest is to be sent again', async () => {
  const away: AnyEduHandler = {
    type: 'm.away',
    receive: () => Promise.reject(new ViewsUnavailable('gone')),
  };
  const { edus, lines } = takingBy(failing('m.bad'), away);
  await expect(edus.take(B, [edu('m.bad'), edu('m.away')], '1')).rejects.toBeInstanceOf(ViewsUnavailable);
  expect(lines).toHaveLength(1);
});
