import { expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { RedactEvent } from '#rooms/commands/redact-event';
import { getEvent } from '#rooms/queries/get-event';
import { renderOne } from '#rooms/queries/render-event';
import { ALICE, TEST_AUTHOR } from '#testing/local-room';
import { ForeignServer } from '#testing/receiving/foreign-server';
import { keysKnownTo } from '#testing/receiving/memory-room';
import { openSharedRoom } from '#testing/receiving/shared-room';
import { requesterOf } from '#testing/room-commands';
import { SignedEvents } from './signed-events.js';

it('tells nothing of what a redaction takes away beside the content, before that has left the log too', async () => {
  const other = new ForeignServer('b.example', 2);
  const keys = keysKnownTo(TEST_AUTHOR, other);
  const { home, roomId, there } = await openSharedRoom(other, keys);
  const join = await there.joins();
  const said = await there.makes({ type: 'm.room.message', content: {}, pdu: { beside: 'the content' } });
  await there.sends(home, join, said);
  await home.views.follow();
  const { eventId } = said.event;
  const signed = async (): Promise<string | undefined> => {
    const { room, row } = await getEvent(home.views, roomId, eventId, { userId: ALICE, ignored: new Set<UserId>() });
    const served = await renderOne(row, { room, now: 0 });
    return (await new SignedEvents(home.views.today, home.views).write(roomId, [row], [served]))[0];
  };
  expect(await signed()).toContain('"beside":"the content"');
  await home.execute(new RedactEvent(requesterOf(ALICE), roomId, eventId, {}));
  expect(await signed()).toContain('"signatures"');
  expect(await signed()).not.toContain('beside');
});
