import { expect, it } from 'vitest';
import type { EventId } from '#kernel/ids';
import { StateRevisions } from './state-revisions.js';

const [A, B, C, D] = ['$a', '$b', '$c', '$d'] as EventId[] as [EventId, EventId, EventId, EventId];

it('are read as they were at one moment while they change', () => {
  const revisions = new StateRevisions();
  for (const [i, eventId] of [A, B, C].entries()) revisions.set(eventId, i);
  const held = revisions.hold();
  const then = () => [A, B, C, D].map((eventId) => held.get(eventId));
  revisions.delete(A);
  revisions.set(B, 7);
  revisions.set(B, 8);
  revisions.set(D, 9);
  expect(then()).toEqual([0, 1, 2, undefined]);
  revisions.set(A, 10);
  revisions.delete(D);
  expect(then()).toEqual([0, 1, 2, undefined]);
  revisions.clear();
  expect(then()).toEqual([0, 1, 2, undefined]);
  expect([A, B, C, D].filter((eventId) => revisions.has(eventId))).toEqual([]);
});

it('are read by one at a time, each as of their own moment', () => {
  const revisions = new StateRevisions();
  const first = revisions.hold();
  expect(() => revisions.hold()).toThrow('another moment');
  first.release();
  revisions.set(A, 1);
  const second = revisions.hold();
  revisions.set(A, 2);
  expect([second.get(A), revisions.get(A)]).toEqual([1, 2]);
});
