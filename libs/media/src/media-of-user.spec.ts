import { expect, test } from 'vitest';
import type { UserId } from '#kernel/ids';
import { START } from '#kernel/position';
import type { Views } from '#projections/views';
import { MemoryReadModels } from '#testing/memory-read-models';
import type { KeptContent } from './kept-content.js';
import type { MediaLog } from './media-log.js';
import { MediaOfUser } from './media-of-user.js';
import { RESERVED_MEDIA, USER_MEDIA } from './projections/media.projector.js';

const ALICE = '@alice:a.example' as UserId;

test('what somebody has uploaded is deleted no further once it is their account’s again', async () => {
  const rows = new MemoryReadModels();
  const mine = ['a', 'b', 'c'].map((id) => ({ key: [ALICE, id], value: '1' }));
  const scan = async (collection: string): Promise<unknown[]> =>
    collection === USER_MEDIA.name ? mine : collection === RESERVED_MEDIA.name ? mine.slice(0, 1) : [];
  const views = Object.assign(rows, {
    scan,
    get: async () => undefined,
    whenProcessed: async () => {},
    position: () => START,
  });
  const deleted: string[] = [];
  const log = { change: async ({ mediaId }: { mediaId: string }) => deleted.push(mediaId) > 0 } as unknown as MediaLog;
  const kept = { isQuarantined: async () => false } as unknown as KeptContent;
  const media = new MediaOfUser(log, kept, { head: async () => START }, views as unknown as Views);
  let left = 2;
  expect(await media.delete(ALICE, async () => left-- > 0)).toBe(true);
  expect(deleted).toEqual(['a', 'b']);
  left = 3;
  await media.delete(ALICE, async () => left-- > 0);
  expect(deleted.slice(2)).toEqual(['a', 'b', 'c']);
});
