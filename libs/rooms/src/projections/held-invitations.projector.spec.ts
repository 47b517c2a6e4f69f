import { expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, UserId } from '#kernel/ids';
import { userStream } from '#kernel/user-stream';
import { BatchRows } from '#projections/batch-rows';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import { heldStream, type InvitationHeld } from '../facts/held-invitation-facts.js';
import { refusesInvitations } from '../reading/reader.js';
import { HELD_INVITATIONS, type HeldInvitationRow, heldInvitationsProjector } from './held-invitations.projector.js';

const [bob, stranger] = ['@bob:x' as UserId, '@stranger:x' as UserId];
const roomOf = (n: number): RoomId => `!${String(n).padStart(4, '0')}:x` as RoomId;

class Rows {
  readonly #store = new MemoryReadModels();
  #position = 0;

  async take(type: string, stream: string, data: object = {}): Promise<void> {
    const n = ++this.#position;
    const metadata = { at: n, actor: bob, schema: 1, chain: '' };
    const position = positionOf(n);
    const fact: RecordedFact = {
      id: `${n}`,
      stream,
      type,
      data: JSON.stringify(data),
      revision: n,
      position,
      metadata,
    };
    const names = new Map(heldInvitationsProjector.collections.map((name) => [name, name]));
    const rows = new BatchRows(this.#store, names);
    await heldInvitationsProjector.project(fact, rows);
    await this.#store.write(rows.writes);
  }

  say(type: 'held' | 'released', n: number, more: Partial<InvitationHeld> = {}): Promise<void> {
    return this.take(`invitation-${type}`, heldStream(bob), { room_id: roomOf(n), sender: stranger, ...more });
  }

  async list(): Promise<(readonly [RoomId, boolean])[]> {
    const found = await HELD_INVITATIONS.scan(this.#store, { prefix: [bob], limit: 10_000 });
    return found.map(({ key, value }) => [key[1], value.held.length > 0] as const);
  }

  async of(n: number): Promise<HeldInvitationRow | undefined> {
    return HELD_INVITATIONS.get(this.#store, [bob, roomOf(n)]);
  }
}

it('knows of the last 200 that are shown again, so that no look at what is held is cut short', async () => {
  const rows = new Rows();
  // The names of these come behind all others.
  for (let n = 0; n < 3; n++) await rows.say('held', 9_000 + n);
  for (let n = 0; n < 250; n++) {
    await rows.say('held', n);
    await rows.say('released', n);
  }
  const found = await rows.list();
  expect(found.filter(([, held]) => held).map(([roomId]) => roomId)).toEqual([9_000, 9_001, 9_002].map(roomOf));
  const shown = found.filter(([, held]) => !held).map(([roomId]) => roomId);
  expect(shown).toEqual(Array.from({ length: 200 }, (_, n) => roomOf(n + 50)));
});

it('knows of each sender whether theirs is held, whatever others send to the same room', async () => {
  const rows = new Rows();
  const other = '@other:x' as UserId;
  const refuses = async (): Promise<boolean[]> => {
    const held = new Map([[roomOf(1), (await rows.of(1))!]]);
    return [stranger, other].map((by) => refusesInvitations({ userId: bob, ignored: new Set(), held }, roomOf(1), by));
  };
  await rows.say('held', 1);
  expect(await refuses()).toEqual([true, false]);
  await rows.say('held', 1, { sender: other });
  expect(await refuses()).toEqual([true, true]);
  await rows.say('released', 1, { sender: other });
  expect(await refuses()).toEqual([true, false]);
  expect((await rows.of(1))?.shown).toEqual({ sender: other, pos: positionOf(3) });
  await rows.say('released', 1);
  expect(await refuses()).toEqual([false, false]);
});

it('has nothing of who has closed their account', async () => {
  const rows = new Rows();
  await rows.say('held', 1);
  await rows.say('held', 2);
  await rows.say('released', 2);
  await rows.take('account-deactivated', userStream(bob));
  expect(await rows.list()).toEqual([]);
  await rows.say('released', 1, { ended: true });
  expect(await rows.list()).toEqual([]);
});
