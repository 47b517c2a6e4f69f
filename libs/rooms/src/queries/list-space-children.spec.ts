import { describe, expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RoomViews } from '#testing/room-views';
import { listSpaceChildren } from './list-space-children.js';

const TYPE = 'm.space.child';
const MANY = 3_000;

describe('the children of a space', () => {
  it('are found behind however many that were taken out or come later in its order', async () => {
    const log = new MemoryEventStore();
    const space = await LocalRoom.begin(log);
    const say = (stateKey: string, content: object): Promise<unknown> =>
      space.send({ type: TYPE, stateKey, content: { ...content } });
    await say('!gone:a.example', {});
    await say('!later:a.example', { via: ['a.example'] });
    await say('!zero:a.example', { via: ['a.example'], order: '0' });
    const views = await new RoomViews(log).follow();
    // To send as many would take long.
    const repeat = async (child: string, prefix: string): Promise<void> => {
      const value = (await views.get('room-state', [space.roomId, TYPE, child]))!;
      const keys = Array.from({ length: MANY }, (_, i) => [space.roomId, TYPE, `${prefix}${i}`]);
      await views.store.write(keys.map((key) => ({ collection: 'room-state', key, value })));
    };
    const found = async (): Promise<RoomId[]> =>
      (await listSpaceChildren(views, space.roomId)).map(({ roomId }) => roomId);
    await repeat('!gone:a.example', '!a');
    expect(await found()).toEqual(['!zero:a.example', '!later:a.example']);
    await repeat('!later:a.example', '!b');
    expect((await found())[0]).toBe('!zero:a.example');
  });
});
