import { beforeEach, describe, expect, it } from 'vitest';
import type { Typing } from '#ephemeral/typing/typing';
import { EventStoreUnavailable } from '#event-store/event-store-errors';
import { LogHistory } from '#event-store/log-history';
import { NO_TYPING } from '#http/tokens/typing-mark';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { positionOf } from '#testing/position-of';
import type { ActiveUsers } from '../notifier/active-users.js';
import type { PresenceChanges } from '../presence/presence-changes.js';
import { StreamMoments } from './stream-moments.js';

describe('a token that is ahead of the views', () => {
  let position: Position;
  let head: () => Promise<Position>;
  let waited: Position[];
  let areSlow: boolean;
  let moments: StreamMoments;

  beforeEach(() => {
    position = positionOf(5);
    head = () => Promise.resolve(positionOf(9));
    waited = [];
    areSlow = false;
    const views = {
      history: LogHistory.UNBROKEN,
      whenProcessed: async (upTo: Position) => {
        waited.push(upTo);
        if (!areSlow) position = upTo;
      },
    };
    const active = {
      catchUp: async () => {},
      get position() {
        return position;
      },
    };
    moments = new StreamMoments(
      views as unknown as Views,
      active as unknown as ActiveUsers,
      {} as Typing,
      {} as PresenceChanges,
      ['a'],
      { head: () => head() },
    );
  });

  it('is waited for where the log has it: another process gave it, and what follows it is told once', async () => {
    const token = { position: positionOf(8), typing: NO_TYPING };
    expect(await moments.settle(token)).toEqual(token);
    expect(waited).toEqual([token.position]);
  });

  it('stays where it is where the views take longer: nothing before it is told twice', async () => {
    areSlow = true;
    const token = { position: positionOf(8), typing: NO_TYPING, inbox: positionOf(8) };
    expect(await moments.settle(token)).toEqual(token);
    expect(waited).toEqual([token.position]);
  });

  it('counts as of now where the log has not got there', async () => {
    const token = { position: positionOf(12), typing: NO_TYPING };
    expect(await moments.settle(token)).toEqual({ ...token, position: positionOf(5) });
    expect(waited).toEqual([]);
  });

  it('begins nowhere while the log is away: from now on things would be told twice, from there some perhaps never', async () => {
    head = () => Promise.reject(new EventStoreUnavailable('a node is dead'));
    const token = { position: positionOf(8), typing: NO_TYPING };
    await expect(moments.settle(token)).rejects.toBeInstanceOf(EventStoreUnavailable);
    expect(await moments.settle({ ...token, position: positionOf(5) })).toMatchObject({ position: positionOf(5) });
  });
});
