import { expect, it } from 'vitest';
import type { Typing } from '#ephemeral/typing/typing';
import { EventStoreUnavailable } from '#event-store/event-store-errors';
import { LogHistory } from '#event-store/log-history';
import { formatStreamMoment, type StreamMoment } from '#http/tokens/stream-token';
import { NO_TYPING } from '#http/tokens/typing-mark';
import type { DeviceId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Views } from '#projections/views';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { positionOf } from '#testing/position-of';
import type { DeviceListChanges } from '../device-lists/device-list-changes.js';
import type { ActiveUsers } from '../notifier/active-users.js';
import type { PresenceChanges } from '../presence/presence-changes.js';
import { StreamMoments } from '../streams/stream-moments.js';
import { KeyChanges, KeyChangesHandler } from './key-changes.js';

const history = LogHistory.UNBROKEN;
const momentAt = (position: Position): StreamMoment => ({ position, typing: NO_TYPING });

/** Asks for what changed between 4 and 8 where the views are at 5, as `askUpTo`. */
async function ask(onSettle: (token: StreamMoment) => { settled: StreamMoment; now: Position }): Promise<Position[]> {
  let now = positionOf(5);
  return askUpTo({
    history,
    settle: async (token: StreamMoment) => {
      const { settled, now: then } = onSettle(token);
      now = then;
      return settled;
    },
    moment: async () => momentAt(now),
  });
}

/** Asks for what changed between 4 and 8, and answers between which places that was looked for. */
async function askUpTo(moments: Pick<StreamMoments, 'history' | 'settle' | 'moment'>): Promise<Position[]> {
  const watched = { user: { rooms: new Map() }, interest: { close: () => {} } };
  const asked: Position[] = [];
  const lists = {
    between: async (_: unknown, from: Position, to: Position) => {
      asked.push(from, to);
      return { changed: [], left: [] };
    },
  };
  const handler = new KeyChangesHandler(
    { watch: async () => watched } as unknown as ActiveUsers,
    moments as unknown as StreamMoments,
    lists as unknown as DeviceListChanges,
  );
  const [from, to] = [4, 8].map((at) => formatStreamMoment(history, momentAt(positionOf(at))));
  const requester = { userId: '@a:x' as UserId, deviceId: 'A' as DeviceId, isAdmin: false, requestId: 'r' };
  await handler.execute(new KeyChanges(requester, from!, to!));
  return asked;
}

it('tells of device lists up to a token that another process gave, which is ahead of this one', async () => {
  const asked = await ask((token) => ({ settled: token, now: token.position }));
  expect(asked).toEqual([positionOf(4), positionOf(8)]);
});

it('tells no part of what changed up to a token that the views here do not come to: the rest would never be told', async () => {
  const asked = ask((token) => ({ settled: token, now: positionOf(6) }));
  await expect(asked).rejects.toBeInstanceOf(ViewsUnavailable);
});

it('tells no part of what changed up to a token that is ahead of the views here while the log is away', async () => {
  const active = { position: positionOf(5), catchUp: async () => {}, knownUpTo: () => positionOf(5) };
  const moments = new StreamMoments(
    { history } as Views,
    active as unknown as ActiveUsers,
    { mark: () => NO_TYPING } as unknown as Typing,
    { mark: () => undefined } as unknown as PresenceChanges,
    [],
    { head: () => Promise.reject(new EventStoreUnavailable('a node is dead')) },
  );
  await expect(askUpTo(moments)).rejects.toBeInstanceOf(EventStoreUnavailable);
});

it('tells of device lists up to now where the log has not got to a token', async () => {
  const asked = await ask(() => ({ settled: momentAt(positionOf(6)), now: positionOf(5) }));
  expect(asked).toEqual([positionOf(4), positionOf(5)]);
});
