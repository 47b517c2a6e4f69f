import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Client, Homeserver, WITHOUT_PRESENCE } from './support/homeserver.js';
import { describeWithStores } from './support/stores.js';

interface Message {
  readonly sender: string;
  readonly type: string;
  readonly content: { readonly n: number };
}

const KILLS = 3;

describeWithStores('messages to devices', (stores) => {
  let server: Homeserver;
  let alice: Client;
  let bob: Client;

  beforeAll(async () => {
    server = await Homeserver.start({ ...stores, env: WITHOUT_PRESENCE });
    alice = await server.register('alice');
    bob = await server.register('bob');
  });
  afterAll(() => server.remove());

  /** As clients do: the same transaction until it is answered. */
  const send = async (n: number, txn = `t${n}`): Promise<void> => {
    const messages = { [bob.userId]: { [bob.deviceId]: { n } } };
    for (;;) {
      try {
        const { status } = await alice.request('PUT', `/sendToDevice/m.test/${txn}`, { messages });
        if (status === 200) return;
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // what `fetch` throws where there is no answer
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };

  /** Reads on from a token until so many messages have come. */
  const collect = async (since: string, count: number): Promise<{ messages: Message[]; since: string }> => {
    const messages: Message[] = [];
    let at = since;
    while (messages.length < count) {
      try {
        const answer = await bob.request('GET', `/sync?timeout=1000&since=${encodeURIComponent(at)}`);
        if (answer.status !== 200) continue;
        messages.push(...answer.body.to_device.events);
        at = answer.body.next_batch;
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    return { messages, since: at };
  };

  test('come once and in their order, while the server is killed', async () => {
    const { next_batch: begin } = await bob.sync();
    const count = 60;
    const collecting = collect(begin, count);
    for (let n = 0; n < count; n++) {
      if (n % (count / KILLS) === count / KILLS / 2) {
        const sending = send(n);
        await server.end('SIGKILL');
        await server.start();
        await sending;
      } else await send(n);
    }
    const { messages, since } = await collecting;
    expect(messages.map(({ content }) => content.n)).toEqual(Array.from({ length: count }, (_, n) => n));
    expect(messages[0]).toEqual({ sender: alice.userId, type: 'm.test', content: { n: 0 } });
    // What was answered is known, also after the next start.
    await send(count - 1);
    expect((await bob.sync({ since })).to_device.events).toEqual([]);
    expect((await bob.sync()).to_device.events).toEqual([]);
  }, 120_000);

  test('end a long poll at once', async () => {
    const { next_batch: since } = await bob.sync();
    const began = Date.now();
    const waiting = bob.sync({ since, timeout: 60_000 });
    await send(1000);
    const answer = await waiting;
    expect(answer.to_device.events.map(({ content }: Message) => content.n)).toEqual([1000]);
    expect(Date.now() - began).toBeLessThan(50_000);
  }, 90_000);
});
