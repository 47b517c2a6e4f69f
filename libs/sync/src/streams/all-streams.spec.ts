import { describe, expect, it } from 'vitest';
import { ALL_COVERED } from './all-streams.js';
import type { SyncContext, SyncStream } from './sync-context.js';
import { SyncStreams } from './sync-streams.js';

const stream = (key: string, json: string | undefined, isNews = false): SyncStream => ({
  key,
  read: async () => ({ json, isNews }),
});
// These streams look at nothing of it.
const context = {} as SyncContext;

describe('what /sync tells of', () => {
  it('is covered by its tokens: no stream reads a collection that they may run ahead of', () => {
    expect(ALL_COVERED).toEqual([
      'device-list-rooms',
      'presence-lists',
      'account-data',
      'push-rules',
      'inbox',
      'membership-log',
      'key-counts',
      'held-invitations',
      'timeline',
      'room-state',
      'rooms',
      'partial-rooms',
      'receipts',
      'sticky-events',
      'room-activity',
      'thread-subscriptions',
    ]);
  });

  it('is left out where it has nothing to say, and is news where any of it is', async () => {
    const { members, isNews } = await new SyncStreams([
      stream('presence', '{"events":[1]}', true),
      stream('rooms', undefined),
      stream('account_data', '{"events":[]}'),
    ]).read(context);
    const answer = JSON.parse(`{${members.join()}}`) as Record<string, unknown>;
    expect(answer).toMatchObject({
      presence: { events: [1] },
      account_data: { events: [] },
    });
    expect(answer).not.toHaveProperty('rooms');
    expect(isNews).toBe(true);
    const nothing = await new SyncStreams([stream('rooms', '{}')]).read(context);
    expect(nothing.isNews).toBe(false);
    expect(JSON.parse(`{${nothing.members.join()}}`)).toEqual({ rooms: {} });
  });

  it('has one stream for each key', () => {
    expect(() => new SyncStreams([stream('rooms', '{}'), stream('rooms', '{}')])).toThrow('two streams rooms');
  });
});
