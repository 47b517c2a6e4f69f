import { beforeEach, describe, expect, it } from 'vitest';
import { BOB, LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { positionOf } from '#testing/position-of';
import { project, type StreamFact } from '#testing/project';
import { createRoomFactReader } from './room-fact-reader.js';
import { threadSubscriptionsProjector } from './thread-subscriptions.projector.js';

/** A log of a room with Bob in it, and of Bob's threads, as far as it goes. */
class Life {
  readonly facts: StreamFact[] = [];
  readonly #log = new MemoryEventStore();
  #room: LocalRoom | undefined;
  #taken = 0;

  async begin(): Promise<void> {
    this.#room = await LocalRoom.begin(this.#log);
    await this.#room.setState('m.room.join_rules', { join_rule: 'public' });
    await this.bob('join');
  }

  async bob(membership: string, more: object = {}): Promise<void> {
    const content = { membership, ...more };
    await this.#room!.send({ type: 'm.room.member', stateKey: BOB, sender: BOB, content });
    for (const { stream, type, data } of this.#log.facts.slice(this.#taken))
      this.facts.push({ stream, type, data: JSON.parse(data) as unknown });
    this.#taken = this.#log.facts.length;
  }

  follow(root: string, more: object = {}): void {
    this.#say('thread-subscribed', { room_id: this.#room!.roomId, root, stamp: this.here, ...more });
  }

  drop(root: string): void {
    const data = { room_id: this.#room!.roomId, root, stamp: this.here, after: '$last' };
    this.#say('thread-unsubscribed', data);
  }

  end(): void {
    this.#say('thread-subscriptions-ended', {});
  }

  forget(): void {
    this.facts.push({ stream: `user-${BOB}`, type: 'room-forgotten', data: { room_id: this.#room!.roomId } });
  }

  #say(type: string, data: object): void {
    this.facts.push({ stream: `threads-${BOB}`, type, data });
  }

  /** How many facts there are. */
  get here(): number {
    return this.facts.length;
  }

  /** How Bob stands to threads, and in which order that changed for him: by their roots. */
  async rows(): Promise<{ readonly threads: Record<string, object>; readonly log: readonly [string, string][] }> {
    const rows = await project(threadSubscriptionsProjector(createRoomFactReader()), this.facts);
    const threads: Record<string, object> = {};
    const log: [string, string][] = [];
    for (const [key, value] of Object.entries(rows)) {
      const [collection, , room, root] = key.split(' ') as [string, string, string, string];
      if (collection === 'thread-subscriptions') threads[root] = value as object;
      else log.push([room, (value as [string, string])[1]]);
    }
    return { threads, log };
  }
}

describe('the threads that somebody wants to hear of', () => {
  let life: Life;
  beforeEach(async () => {
    life = new Life();
    await life.begin();
  });

  it('have a row each, and one where each of them changed last', async () => {
    life.follow('$a');
    life.follow('$b', { cause: '$because' });
    const [stamp, b] = [life.here, positionOf(life.here)];
    life.drop('$a');
    expect(await life.rows()).toEqual({
      threads: {
        $a: { subscribed: 'no', stamp, after: '$last', pos: positionOf(life.here) },
        $b: { subscribed: 'automatic', stamp: stamp - 1, pos: b },
      },
      log: [
        [b, '$b'],
        [positionOf(life.here), '$a'],
      ],
    });
    life.follow('$a');
    expect((await life.rows()).threads['$a']).toEqual({
      subscribed: 'manual',
      stamp: stamp + 1,
      pos: positionOf(life.here),
    });
  });

  it('are hidden from who leaves, and are news as they were to who comes back', async () => {
    life.follow('$a');
    life.follow('$b');
    life.drop('$b');
    const { threads } = await life.rows();
    await life.bob('leave');
    const away = await life.rows();
    expect(away.log).toEqual([]);
    expect(away.threads).toMatchObject({ $a: { isHidden: true }, $b: { isHidden: true } });
    await life.bob('join');
    const pos = positionOf(life.here);
    const back = await life.rows();
    expect(back.threads).toEqual({ $a: { ...threads['$a'], pos }, $b: { ...threads['$b'], pos } });
    expect(back.log.map(([at, root]) => [at, root]).toSorted()).toEqual([
      [pos, '$a'],
      [pos, '$b'],
    ]);
  });

  it('stay where they are as their user gets another name', async () => {
    life.follow('$a');
    const before = await life.rows();
    await life.bob('join', { displayname: 'Bob' });
    expect(await life.rows()).toEqual(before);
  });

  it('end with a room that is forgotten, and do not where its user came back before', async () => {
    life.follow('$a');
    life.follow('$b');
    life.drop('$b');
    const { $b: dropped } = (await life.rows()).threads;
    await life.bob('leave');
    life.forget();
    const stamp = life.here;
    expect((await life.rows()).log).toEqual([]);
    await life.bob('join');
    const pos = positionOf(life.here);
    const { threads, log } = await life.rows();
    expect(threads).toEqual({ $a: { subscribed: 'no', stamp, pos }, $b: { ...dropped, pos } });
    expect(log.map(([, root]) => root).toSorted()).toEqual(['$a', '$b']);
    life.follow('$a');
    life.forget();
    expect((await life.rows()).threads['$a']).toMatchObject({ subscribed: 'manual' });
  });

  it('are gone with the account', async () => {
    life.follow('$a');
    life.drop('$a');
    life.follow('$b');
    life.end();
    expect(await life.rows()).toEqual({ threads: {}, log: [] });
  });
});
