import { it } from 'vitest';
import { awaitSameState } from './support/federation/member.js';
import { DENDRITE, startDendrite } from './support/federation/dendrite.js';
import type { Shared } from './support/federation/shared.js';
import { describeRoomsSharedWith } from './support/federation/shared-rooms.js';

describeRoomsSharedWith(
  {
    name: 'Dendrite',
    start: startDendrite,
    isThere: DENDRITE !== undefined,
    versions: ['1', '6', '10', '11'],
    withoutRedactions: ['11'],
  },
  describeAway,
);

function describeAway(shared: Shared): void {
  it.each(['ours', 'other'] as const)('hears what was said while it was killed, once it speaks: %s', async (which) => {
    const { maker, comer, room } = await shared.room('their side', '10');
    const [stays, goes] = which === 'ours' ? [maker, comer] : [comer, maker];
    await comer.followed.untilTold(room, await maker.setPower(room, comer, 50));
    await shared[which].end('SIGKILL');
    const said: string[] = [];
    for (let i = 0; i < 5; i++) said.push(await stays.say(room, `alone ${i}`));
    await stays.setState(room, `org.example.${which}`, {});
    await shared[which].restart();
    await stays.followed.untilTold(room, await goes.say(room, 'back'));
    for (const eventId of said) await goes.followed.untilTold(room, eventId);
    await awaitSameState(room, maker, comer);
  });
}
