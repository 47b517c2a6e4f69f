import { describe, expect, it } from 'vitest';
import type { Distance } from '#event-store/event-store';
import type { Position } from '#kernel/position';
import { positionNumber, positionOf } from '#testing/position-of';
import { wordsProjector } from './example-projectors.js';
import { Projection } from './projection.js';
import { statusOf } from './projection-status.js';

describe('the status of a projection', () => {
  const status = (unit: Distance['unit'], facts: number) => {
    const projection = new Projection(wordsProjector(), {
      lastGeneration: 1,
      serving: { version: 1, generation: 1, collections: [], at: positionOf(4_000), facts },
    });
    const distance = (after: Position, upTo: Position): Distance => ({
      amount: Math.max(0, positionNumber(upTo) - positionNumber(after)),
      unit,
    });
    return statusOf(projection, {
      log: { distance },
      head: positionOf(10_000),
      position: positionOf(10_000),
      perSecond: 0,
    });
  };

  it('tells facts where the log numbers them', () => {
    expect(status('facts', 3)).toMatchObject({
      facts: { done: 4_000, of: 10_000 },
      behind: { amount: 6_000, unit: 'facts' },
    });
  });

  it('counts facts where the log has bytes only, guesses how many are left, and calls bytes what they are', () => {
    expect(status('bytes', 40)).toMatchObject({
      facts: { done: 40, of: 100 },
      behind: { amount: 6_000, unit: 'bytes' },
    });
  });
});
