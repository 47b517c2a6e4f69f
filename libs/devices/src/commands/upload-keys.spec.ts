import { expect, it } from 'vitest';
import { LogHistory } from '#event-store/log-history';
import { systemClock } from '#kernel/clock';
import type { DeviceId, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { MemoryEventStore } from '#testing/memory-event-store';
import { DeviceKeys } from '../device-keys.js';
import { UploadKeys, UploadKeysHandler } from './upload-keys.js';

const REQUESTER = { userId: '@alice:a.example' as UserId, deviceId: 'A' as DeviceId } as Requester;

/** Uploads keys of a device that the views do not have. */
function upload(confirm: () => Promise<void>): Promise<unknown> {
  const views = { history: LogHistory.UNBROKEN, get: async () => undefined, whenProcessed: async () => {}, confirm };
  const handler = new UploadKeysHandler(new DeviceKeys(new MemoryEventStore(), systemClock, views), views);
  return handler.execute(new UploadKeys(REQUESTER, { oneTimeKeys: [], fallbackKeys: [] }));
}

it('tells a device that it is gone only where the views are there', async () => {
  await expect(upload(async () => {})).rejects.toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' });
  const areGone = (): Promise<void> => Promise.reject(new ViewsUnavailable('thrown away'));
  await expect(upload(areGone)).rejects.toBeInstanceOf(ViewsUnavailable);
});
