import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import { positionNumber, positionOf } from '#testing/position-of';
import { type FactMark, milestoneWrite } from './projection-records.js';

const factAt = (n: number): RecordedFact => ({
  id: `fact ${n}`,
  type: 'said',
  data: '{}',
  metadata: { at: 0, actor: 'server', schema: 1, chain: `chain ${n}` },
  stream: 's',
  revision: n - 1,
  position: positionOf(n),
});

test('of all facts on the way some are noted, few in all, and one not much further back than any moment', () => {
  const batches = fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 1000 })), {
    minLength: 1,
    maxLength: 300,
  });
  fc.assert(
    fc.property(batches, fc.double({ min: 0, max: 1, noNaN: true }), (sizes, share) => {
      const noted = new Map<string, number>();
      let end = 0;
      for (const size of sizes) {
        const write = milestoneWrite(factAt(end + size), end, end + size);
        end += size;
        if (write === undefined) continue;
        const { position } = JSON.parse(write.value ?? '') as FactMark;
        noted.set(write.key.join(), positionNumber(position));
      }
      const largest = Math.max(...sizes);
      // The log is put back to here.
      const moment = Math.floor(end * share);
      const last = Math.max(0, ...[...noted.values()].filter((position) => position <= moment));
      expect(moment - last).toBeLessThanOrEqual(4 * (end - moment) + 2 * (64 + largest));
      expect(noted.size).toBeLessThanOrEqual(2 + Math.log2(end));
    }),
    { numRuns: 500 },
  );
});
