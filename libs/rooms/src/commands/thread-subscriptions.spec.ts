import { beforeEach, describe, expect, it } from 'vitest';
import { sealFacts } from '#event-store/seal-facts';
import type { EventId, RoomId } from '#kernel/ids';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { ALICE, BOB } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { requesterOf, RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import { threadsStream } from '../facts/thread-subscription-facts.js';
import { THREAD_SUBSCRIPTIONS_LOG } from '../projections/thread-subscriptions.projector.js';
import { findThreadSubscription } from '../queries/find-thread-subscription.js';
import { listThreadSubscriptions } from '../queries/list-thread-subscriptions.js';
import { SubscribeToThread } from './subscribe-to-thread.js';
import { UnsubscribeFromThread } from './unsubscribe-from-thread.js';

/** Views that can stand still, and that tell when something was decided by them. */
class WatchedViews extends RoomViews {
  isHeld = false;
  onceDecided: (() => Promise<void>) | undefined;

  override async follow(): Promise<this> {
    return this.isHeld ? this : super.follow();
  }

  override async confirm(): Promise<void> {
    const then = this.onceDecided;
    this.onceDecided = undefined;
    await then?.();
    return super.confirm();
  }
}

let views: WatchedViews;
let rooms: RoomCommands;
let other: RoomCommands;
let roomId: RoomId;
let root: EventId;
let reply: EventId;

beforeEach(async () => {
  views = new WatchedViews(new MemoryEventStore());
  rooms = new RoomCommands(views);
  other = new RoomCommands(views);
  roomId = await rooms.open();
  await rooms.join(BOB, roomId);
  root = await rooms.send(ALICE, roomId);
  reply = await rooms.send(ALICE, roomId, { 'm.relates_to': { rel_type: 'm.thread', event_id: root } });
});

const follow = (by: RoomCommands, cause?: EventId): Promise<void> =>
  by.execute(new SubscribeToThread(requesterOf(BOB), roomId, root, cause));
const drop = (by: RoomCommands): Promise<void> => by.execute(new UnsubscribeFromThread(requesterOf(BOB), roomId, root));
const told = async (): Promise<readonly string[]> =>
  rooms.log.facts.filter(({ stream }) => stream === threadsStream(BOB)).map(({ type }) => type.slice('thread-'.length));
const list = () => listThreadSubscriptions(views, BOB, { limit: 10 });

describe('subscriptions to threads', () => {
  it('of two processes are decided one upon the other', async () => {
    views.onceDecided = () => follow(other);
    await follow(rooms, reply);
    expect(await findThreadSubscription(views, roomId, root, BOB)).toEqual({ automatic: false });
    expect(await told()).toEqual(['subscribed']);
    views.onceDecided = () => drop(other);
    await drop(rooms);
    expect(await told()).toEqual(['subscribed', 'unsubscribed']);
    const refused = expect.objectContaining({ errcode: 'IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION' });
    await follow(rooms);
    views.onceDecided = async () => {
      await drop(other);
      await follow(other);
      await drop(other);
    };
    await expect(drop(rooms)).resolves.toBeUndefined();
    await expect(follow(rooms, reply)).rejects.toEqual(refused);
  });

  it('are decided upon nothing older than what is in the log', async () => {
    await follow(rooms);
    views.isHeld = true;
    await expect(drop(rooms)).resolves.toBeUndefined();
    await expect(follow(rooms)).rejects.toBeInstanceOf(ViewsUnavailable);
    views.isHeld = false;
    await follow(rooms);
    expect(await told()).toEqual(['subscribed', 'unsubscribed', 'subscribed']);
  });

  it('are not told to who has left the room, though it was while they subscribed', async () => {
    await rooms.leave(BOB, roomId);
    const at = { at: 1, actor: BOB };
    const data = JSON.stringify({ room_id: roomId, root, stamp: 1 });
    const [fact] = sealFacts(undefined, [{ id: crypto.randomUUID(), type: 'thread-subscribed', data, ...at }]);
    await rooms.log.append(threadsStream(BOB), 'no-stream', [fact!]);
    await views.follow();
    expect(await list()).toEqual({ threads: [], next: undefined });
    await rooms.join(BOB, roomId);
    await views.follow();
    expect((await list()).threads).toMatchObject([{ root, subscribed: 'manual' }]);
  });

  it('are told once, though a store without transactions may have kept where they changed before', async () => {
    await follow(rooms);
    const [row] = await views.scan(THREAD_SUBSCRIPTIONS_LOG.name, { prefix: [BOB], limit: 1 });
    await drop(rooms);
    await views.store.write([{ collection: THREAD_SUBSCRIPTIONS_LOG.name, ...row! }]);
    expect((await list()).threads).toMatchObject([{ root, subscribed: 'no' }]);
  });
});
