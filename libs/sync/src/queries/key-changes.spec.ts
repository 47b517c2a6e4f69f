import { expect, it } from 'vitest';
import { LogHistory } from '#event-store/log-history';
import { formatStreamMoment, type StreamMoment } from '#http/tokens/stream-token';
import { NO_TYPING } from '#http/tokens/typing-mark';
import type { DeviceId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { positionOf } from '#testing/position-of';
import type { DeviceListChanges } from '../device-lists/device-list-changes.js';
import type { ActiveUsers } from '../notifier/active-users.js';
import type { StreamMoments } from '../streams/stream-moments.js';
import { KeyChanges, KeyChangesHandler } from './key-changes.js';

it('tells of device lists up to a token that another process gave, which is ahead of this one', async () => {
  const history = LogHistory.UNBROKEN;
  let now = positionOf(5);
  const moments = {
    history,
    settle: async (token: StreamMoment) => {
      now = token.position;
      return token;
    },
    moment: async () => ({ position: now, typing: NO_TYPING }),
  };
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
  const [from, to] = [4, 8].map((at) => formatStreamMoment(history, { position: positionOf(at), typing: NO_TYPING }));
  const requester = { userId: '@a:x' as UserId, deviceId: 'A' as DeviceId, isAdmin: false, requestId: 'r' };
  await handler.execute(new KeyChanges(requester, from!, to!));
  expect(asked).toEqual([positionOf(4), positionOf(8)]);
});
