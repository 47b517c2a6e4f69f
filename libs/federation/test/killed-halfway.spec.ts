import { describe, expect, it } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { PduAccepted } from '#rooms/facts/room-facts';
import { RoomVerifier } from '#rooms/audit/verify-room';
import { TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { type ForeignPdu, ForeignServer } from '#testing/receiving/foreign-server';
import { keysKnownTo } from '#testing/receiving/memory-room';
import { ReceivingServer } from '#testing/receiving/receiving-server';
import { RoomElsewhere } from '#testing/receiving/room-elsewhere';
import { TellingServer } from '#testing/receiving/telling-server';
import { RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';

const OTHER = new ForeignServer('b.example', 2);
const VERSION = findRoomVersion('11')!;
const KEYS = keysKnownTo(TEST_AUTHOR, OTHER);

/** The log of a process that ends after so many writes: what it writes from then on is never done, and never answered. */
class MortalLog extends MemoryEventStore {
  left = Infinity;
  #end = () => {};
  /** Settles where it would have written one more. */
  readonly ended = new Promise<void>((end) => (this.#end = end));

  override append(...write: Parameters<MemoryEventStore['append']>): ReturnType<MemoryEventStore['append']> {
    if (this.left <= 0) {
      this.#end();
      return new Promise(() => {});
    }
    this.left--;
    return super.append(...write);
  }
}

const idOf = ({ event }: ForeignPdu): EventId => event.eventId;

function acceptedIds(log: MemoryEventStore): string[] {
  return log.facts
    .filter(({ type }) => type === 'pdu-accepted')
    .map(({ data }) => (JSON.parse(data) as PduAccepted).event_id);
}

/** A room of ours with Bob of the other server in it, and what he says next: three messages, of which the first is not sent. */
async function makeRoom() {
  const log = new MortalLog();
  const home = new RoomCommands(new RoomViews(log), TEST_AUTHOR, KEYS);
  const roomId: RoomId = await home.open();
  const there = new RoomElsewhere(roomId, VERSION, KEYS, OTHER);
  await there.hear(home);
  const peers = new TellingServer(there);
  const server = await ReceivingServer.start(home, peers);
  await server.receive(OTHER.name, 'join', [(await there.joins()).text]);
  const beside = await there.says('beside');
  const prev = there.extremities.map(({ eventId }) => eventId);
  const said = [await there.says('1', { prev }), await there.says('2'), await there.says('3')];
  return { log, server, peers, roomId, sent: [beside, ...said.slice(1)], all: [beside, ...said] };
}

describe('a process that ends in the middle of a transaction', () => {
  it('has lost nothing that it had answered, and takes the rest when it comes again, each event once', async () => {
    for (let step = 0; ; step++) {
      const { log, server, peers, roomId, sent, all } = await makeRoom();
      const texts = sent.map(({ text }) => text);
      log.left = step;
      let isAnswered = false;
      const done = server.receive(OTHER.name, 't', texts).then(() => (isAnswered = true));
      await Promise.race([done, log.ended]);
      let hasEnded = false;
      void log.ended.then(() => (hasEnded = true));
      const isThere = (): boolean => all.every((pdu) => acceptedIds(log).includes(idOf(pdu)));
      // Looked at no longer than it matters: it would go on in the tests behind this one, and turn their clocks.
      await expect.poll(() => hasEnded || isThere()).toBe(true);
      hasEnded &&= log.left <= 0;
      server.queue.onModuleDestroy();
      const next = log.copy();
      const views = new RoomViews(next);
      const again = await ReceivingServer.start(new RoomCommands(views, TEST_AUTHOR, KEYS), peers);
      again.queue.onApplicationBootstrap();
      if (!isAnswered) {
        const results = await again.receive(OTHER.name, 't', texts);
        expect(results).toEqual(Object.fromEntries(sent.map((pdu) => [idOf(pdu), {}])));
      }
      const ids = all.map(idOf);
      await expect.poll(() => acceptedIds(next)).toEqual(expect.arrayContaining(ids));
      again.queue.onModuleDestroy();
      const accepted = acceptedIds(next);
      expect(new Set(accepted).size).toBe(accepted.length);
      const verifier = new RoomVerifier(roomId, (name, keyId) => KEYS.find(name as typeof OTHER.name, keyId)?.key);
      const facts = next.facts.filter(({ stream }) => stream === `room-${roomId}`);
      expect(facts.flatMap((fact) => verifier.check(fact))).toEqual([]);
      if (!hasEnded) {
        expect(step).toBeGreaterThan(3);
        return;
      }
    }
  });
});
