import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Answer, type Client, Homeserver } from './support/homeserver.js';
import { describeWithStores } from './support/stores.js';

// Servers are killed and started.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const EXTENSION = 'io.element.msc4308.thread_subscriptions';
const PAGES = '/_matrix/client/unstable/io.element.msc4308/thread_subscriptions?dir=b';
const SLIDING_SYNC = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync';

/** What is told of threads: by room and root how the user stands to them. */
interface Told {
  readonly subscribed: Record<string, Record<string, { automatic: boolean; bump_stamp: number }>>;
  readonly unsubscribed: Record<string, Record<string, { bump_stamp: number }>>;
}

describeWithStores('subscriptions to threads', (stores) => {
  let server: Homeserver;
  let alice: Client;
  let bob: Client;
  let room: string;
  const roots: string[] = [];

  beforeAll(async () => {
    server = await Homeserver.start(stores);
    [alice, bob] = [await server.register('alice'), await server.register('bob')];
    room = await alice.createRoom({ preset: 'public_chat' });
    await bob.ok('POST', `/join/${encodeURIComponent(room)}`, {});
    for (let n = 0; n < 30; n++) roots.push(await alice.send(room, `root ${n}`));
  });
  afterAll(() => server.remove());

  const pathOf = (root: string): string =>
    `/_matrix/client/unstable/io.element.msc4306/rooms/${encodeURIComponent(room)}/thread/${encodeURIComponent(root)}/subscription`;
  /** As `request`; asks again where there was no answer. */
  const insist = async (method: 'GET' | 'PUT' | 'DELETE' | 'POST', path: string, body?: object): Promise<Answer> => {
    for (;;) {
      const answer = await bob.request(method, path, body).catch((error: unknown) => {
        if (error instanceof TypeError) return undefined; // what `fetch` throws where there is no answer
        throw error;
      });
      if (answer !== undefined && answer.status !== 503) return answer;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  /** Reads on from where the client is; answers where it is then. */
  const look = async (pos: string | undefined, known: Map<string, string>): Promise<string> => {
    const from = pos === undefined ? '' : `&pos=${encodeURIComponent(pos)}`;
    const asked = { extensions: { [EXTENSION]: { enabled: true, limit: 3 } } };
    const { status, body } = await insist('POST', `${SLIDING_SYNC}?timeout=0${from}`, asked);
    expect(status).toBe(200);
    const news: (Told & { prev_batch?: string }) | undefined = body.extensions[EXTENSION];
    const believe = ({ subscribed, unsubscribed }: Told): void => {
      for (const [root, { automatic }] of Object.entries(subscribed[room] ?? {})) known.set(root, String(automatic));
      for (const root of Object.keys(unsubscribed[room] ?? {})) known.set(root, 'no');
    };
    for (let token = news?.prev_batch; token !== undefined;) {
      const to = pos === undefined ? '' : `&to=${encodeURIComponent(pos)}`;
      const page: Told & { end?: string } = (await insist('GET', `${PAGES}&limit=4&from=${token}${to}`)).body;
      believe(page);
      token = page.end;
    }
    if (news !== undefined) believe(news);
    return body.pos;
  };

  test('that were acknowledged outlive kills, and are told to a client that goes on', async () => {
    const known = new Map<string, string>();
    let pos = await look(undefined, known);
    const expected = new Map<string, string>();
    const working = (async () => {
      for (const [n, root] of roots.entries()) {
        expect((await insist('PUT', pathOf(root), {})).status).toBe(200);
        expected.set(root, 'false');
        if (n % 3 !== 0) continue;
        expect((await insist('DELETE', pathOf(root))).status).toBe(200);
        expected.set(root, 'no');
      }
    })();
    for (let n = 0; n < 3; n++) {
      await server.restart('SIGKILL');
      pos = await look(pos, known);
    }
    await working;
    await server.restart('SIGKILL');
    await look(pos, known);
    expect(known).toEqual(expected);
    for (const [root, is] of expected)
      expect((await bob.request('GET', pathOf(root))).status).toBe(is === 'no' ? 404 : 200);
  });

  test('are the same when their views are made anew, and so is what they let notify', async () => {
    const rules = (): Promise<unknown> => bob.ok('GET', '/pushrules/global/postcontent/');
    await expect.poll(rules).toMatchObject([{ enabled: true }, { enabled: true }]);
    const before = [await bob.ok('GET', PAGES), await rules()];
    expect(await server.end()).toBe(0);
    server.removeViews();
    await server.start();
    expect([await bob.ok('GET', PAGES), await rules()]).toEqual(before);
  });
});
