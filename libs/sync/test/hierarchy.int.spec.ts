import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roomPath, SyncApp, type SyncUser } from '#testing/sync-app';

let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;

beforeAll(async () => {
  app = await SyncApp.start();
  [alice, bob] = await Promise.all([app.register('alice'), app.register('bob')]);
});
afterAll(() => app.close());

type Room = { room_id: string; name?: string; children_state: { state_key: string; origin_server_ts: number }[] };
type Page = { rooms: Room[]; next_batch?: string };
type Options = Record<string, unknown>;

const open = { preset: 'public_chat' };
const room = (name: string, options: Options = open): Promise<string> => alice.createRoom({ name, ...options });
const space = (name: string, options: Options = open): Promise<string> =>
  room(name, { ...options, creation_content: { type: 'm.space' } });
const put = (parent: string, child: string, content: object = {}): Promise<string> =>
  alice.setState(parent, 'm.space.child', { via: ['a.example'], ...content }, child);
const path = (roomId: string, query = ''): string => `/_matrix/client/v1${roomPath(roomId)}/hierarchy${query}`;
const names = async (user: SyncUser, roomId: string, query = ''): Promise<(string | undefined)[]> =>
  ((await user.ok('GET', path(roomId, query))) as Page).rooms.map(({ name }) => name);

describe('the hierarchy of a space', () => {
  it('is walked in depth, in the order of its children, each room once', async () => {
    const [root, inner] = [await space('root'), await space('inner')];
    const [a, b, c, d] = [await room('a'), await room('b'), await room('c'), await room('d')];
    await put(root, c);
    await put(root, b, { order: 'b' });
    await put(root, inner, { order: 'a', suggested: true });
    await put(root, d, { order: `${'x'.repeat(51)}` });
    await put(inner, a, { suggested: true });
    await put(inner, root);
    await put(inner, b);
    await put(root, await room('no via'), { via: [] });
    await put(root, 'nonsense');
    expect(await names(bob, root)).toEqual(['root', 'inner', 'a', 'b', 'c', 'd']);
    expect(await names(bob, root, '?max_depth=1')).toEqual(['root', 'inner', 'b', 'c', 'd']);
    expect(await names(bob, root, '?max_depth=0')).toEqual(['root']);
    expect(await names(bob, root, '?suggested_only=true')).toEqual(['root', 'inner', 'a']);
    const [first] = ((await bob.ok('GET', path(root))) as Page).rooms;
    expect(first).toMatchObject({ room_type: 'm.space', num_joined_members: 1, join_rule: 'public' });
    expect(first!.children_state.map(({ state_key: key }) => key)).toEqual([inner, b, c, d]);
    expect(first!.children_state[0]).toMatchObject({
      type: 'm.space.child',
      sender: alice.userId,
      content: { via: ['a.example'] },
      origin_server_ts: expect.any(Number),
    });
    expect(await names(bob, a)).toEqual(['a']);
  });

  it('shows only rooms that one is in, may join or knock at, or that the world may read', async () => {
    const root = await space('root');
    const rules = (join: object): Options => ({
      ...open,
      initial_state: [{ type: 'm.room.join_rules', content: join }],
    });
    const invited = await room('invited', { preset: 'private_chat', invite: [bob.userId] });
    const readable = {
      preset: 'private_chat',
      initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } }],
    };
    const banned = await room('banned');
    await alice.ok('POST', `${roomPath(banned)}/ban`, { user_id: bob.userId });
    const secret = await space('secret', { preset: 'private_chat' });
    await put(secret, await room('behind the secret'));
    const allow = [{ type: 'm.room_membership', room_id: root }];
    const restricted = await room('restricted', rules({ join_rule: 'restricted', allow }));
    for (const [i, child] of [
      invited,
      await room('private', { preset: 'private_chat' }),
      await room('readable', readable),
      banned,
      secret,
      restricted,
      await room('knock', rules({ join_rule: 'knock' })),
    ].entries()) {
      await put(root, child, { order: String(i) });
    }
    expect(await names(bob, root)).toEqual(['root', 'invited', 'readable', 'knock']);
    await bob.join(root);
    expect(await names(bob, root)).toEqual(['root', 'invited', 'readable', 'restricted', 'knock']);
    for (const roomId of [secret, banned, '!unknown:example.org']) {
      expect(await bob.call('GET', path(roomId))).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
    }
  });

  it('comes in pages that lose nothing when rooms come and go between them', async () => {
    const root = await space('root');
    const rooms: string[] = [];
    for (let i = 0; i < 6; i++) {
      rooms.push(await room(`${i}`));
      await put(root, rooms[i]!, { order: `${i}` });
    }
    const page = async (from?: string): Promise<Page> =>
      bob.ok('GET', path(root, `?limit=3${from === undefined ? '' : `&from=${from}`}`));
    const first = await page();
    expect(first.rooms.map(({ name }) => name)).toEqual(['root', '0', '1']);
    // One that was told goes, and one comes before those that were.
    await alice.setState(root, 'm.space.child', {}, rooms[0]!);
    const second = await page(first.next_batch);
    expect(second.rooms.map(({ name }) => name)).toEqual(['2', '3', '4']);
    const third = await page(second.next_batch);
    expect([third.rooms.map(({ name }) => name), third.next_batch]).toEqual([['5'], undefined]);
    // Where the last one is gone, nobody knows which of the others were told.
    await alice.setState(root, 'm.space.child', {}, rooms[4]!);
    const again = await page(second.next_batch);
    expect(again.rooms.map(({ name }) => name)).toEqual(['root', '1', '2']);
    expect((await page(again.next_batch)).rooms.map(({ name }) => name)).toEqual(['3', '5']);

    const other = await space('other');
    const refused = [
      path(root, `?limit=3&max_depth=1&from=${first.next_batch}`),
      path(root, `?suggested_only=true&from=${first.next_batch}`),
      path(other, `?from=${first.next_batch}`),
      path(root, '?from=x'),
      path(root, `?from=${Buffer.from('[1,2,3,"x"]').toString('base64url')}`),
      path(root, '?limit=0'),
      path(root, '?max_depth=-1'),
    ];
    for (const url of refused) {
      expect(await bob.call('GET', url), url).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
    }
  });
});
