import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FederatedServer, type FederatedUser } from '../test/federated-server.js';

const inPath = encodeURIComponent;
const SLIDING = {
  lists: { all: { range: [0, 9], required_state: { include: [{}] }, timeline_limit: 9 } },
  conn_id: 'a',
  timeout: 0,
};

/** What is told of a stay in another server's room that is over, where an invitation came after it that came to nothing. */
describe('a stay in a room elsewhere, once an invitation after it is taken back,', { timeout: 60_000 }, () => {
  let servers: FederatedServer[];
  let host: FederatedUser;
  let pest: FederatedUser;
  let guest: FederatedUser;
  let room: string;
  let since: string;
  let pos: string;

  beforeAll(async () => {
    servers = [await FederatedServer.start(), await FederatedServer.start()];
    [host, pest] = [await servers[0]!.register('host'), await servers[0]!.register('pest')];
  }, 60_000);
  afterAll(() => Promise.all(servers.map((server) => server.stop())));

  const path = (...parts: readonly string[]): string => `/rooms/${[room, ...parts].map(inPath).join('/')}`;
  const put = (who: FederatedUser, what: string): Promise<unknown> =>
    who.ok('POST', path(what), { user_id: guest.userId });

  /** The guest, who ignores the pest, is in the room, and has heard of all in it. */
  const begin = async (name: string): Promise<void> => {
    guest = await servers[1]!.register(name);
    const users = { [host.userId]: 100, [pest.userId]: 50 };
    const power_level_content_override = { users };
    const options = { preset: 'public_chat', room_version: '11', power_level_content_override };
    room = (await host.ok('POST', '/createRoom', options)).room_id;
    await pest.ok('POST', path('join'), {});
    await ignore(pest);
    await guest.ok('POST', `/join/${inPath(room)}?via=${servers[0]!.name}`, {});
    since = (await guest.ok('GET', '/sync?timeout=0')).next_batch;
    await slide();
  };

  const ignore = (...whom: readonly FederatedUser[]): Promise<unknown> => {
    const ignored_users = Object.fromEntries(whom.map(({ userId }) => [userId, {}]));
    return guest.ok('PUT', `/user/${inPath(guest.userId)}/account_data/m.ignored_user_list`, { ignored_users });
  };

  /** Waits until the guest's server has the invitation: it is told of where the guest ignores nobody. */
  const isInvitedByPest = async (): Promise<void> => {
    await put(pest, 'invite');
    await ignore();
    const invited = async () => Object.keys((await guest.ok('GET', '/sync?timeout=0')).rooms?.invite ?? {});
    await expect.poll(invited).toEqual([room]);
    await ignore(pest);
  };

  /** The guest leaves, and the host has heard of it. */
  const leave = async (): Promise<void> => {
    await guest.ok('POST', path('leave'), {});
    const told = async () => (await host.ok('GET', path('state', 'm.room.member', guest.userId))).membership;
    await expect.poll(told).toBe('leave');
  };

  const slide = async () => {
    const answer = await guest.ok('POST', '/_matrix/client/v4/sync', { ...SLIDING, ...(pos && { pos }) });
    ({ pos } = answer);
    return answer.rooms[room];
  };

  /** Waits for what becomes of the guest, and answers what /sync tells of the room then. */
  const heard = async (section: string) => {
    const answer = await guest.ok('GET', `/sync?timeout=20000&since=${since}`);
    since = answer.next_batch;
    return answer.rooms[section][room];
  };

  /** Waits until the guest's server has what became of the guest: their membership as it is shown to themself. */
  const until = (type: string, from: string) =>
    expect
      .poll(async () => {
        const filter = inPath(JSON.stringify({ room: { include_leave: true, rooms: [room], timeline: { limit: 1 } } }));
        const { rooms } = await guest.ok('GET', `/sync?timeout=0&since=${from}&filter=${filter}`);
        return Object.keys(rooms ?? {}).filter((section) => rooms[section][room] !== undefined);
      })
      .toEqual([type]);

  it('is told as a whole, who had heard of the invitation alone, also where somebody whom they ignore had put them out', async () => {
    pos = '';
    await begin('guest');
    const body = { msgtype: 'm.text', body: 'before the end' };
    await host.ok('PUT', path('send', 'm.room.message', '1'), body);
    await put(pest, 'kick');
    await until('leave', since);
    await put(host, 'invite');
    await until('invite', since);
    expect(await heard('invite')).toBeDefined();
    expect((await slide()).membership).toBe('invite');
    await put(host, 'kick');
    const { timeline } = await heard('leave');
    expect(timeline.events.map(({ content }: { content: Record<string, unknown> }) => content['body'])).toContain(
      'before the end',
    );
    expect(JSON.stringify(await slide())).toContain('before the end');
  });

  it('is not told again, who heard nothing of the invitation as they ignore who made it', async () => {
    pos = '';
    await begin('other');
    await put(host, 'kick');
    expect(await heard('leave')).toBeDefined();
    await slide();
    const old = since;
    await isInvitedByPest();
    expect((await guest.ok('GET', `/sync?timeout=0&since=${old}`)).rooms).toBeUndefined();
    since = (await guest.ok('GET', `/sync?timeout=0&since=${old}`)).next_batch;
    expect(await slide()).toBeUndefined();
    await put(host, 'kick');
    expect((await heard('leave')).timeline.events).toHaveLength(1);
    expect((await slide()) ?? {}).not.toHaveProperty('initial');
  });

  it('is listed by sliding sync as what somebody made of it last, who hears nothing of a later invitation', async () => {
    pos = '';
    await begin('third');
    await leave();
    await put(host, 'invite');
    await until('invite', since);
    await put(host, 'kick');
    await until('leave', since);
    const listed = async () => {
      const { lists } = await guest.ok('POST', '/_matrix/client/v4/sync', { ...SLIDING, conn_id: 'b' });
      return lists.all.count;
    };
    expect(await listed()).toBe(1);
    await isInvitedByPest();
    expect(await listed()).toBe(1);
  });

  it('is told by the event stream with the invitations after it, in their order', async () => {
    pos = '';
    await begin('fourth');
    const { end } = await guest.ok('GET', '/_matrix/client/api/v1/initialSync?limit=1');
    await host.ok('PUT', path('send', 'm.room.message', '2'), { msgtype: 'm.text', body: 'before the end' });
    await leave();
    await put(host, 'invite');
    await until('invite', since);
    for (const limit of [1, 20]) {
      const own: string[] = [];
      for (let from = end; ;) {
        const page = await guest.ok('GET', `/_matrix/client/api/v1/events?from=${from}&timeout=0&limit=${limit}`);
        const about = page.chunk.filter((event: Record<string, unknown>) => event['state_key'] === guest.userId);
        own.push(...about.map(({ content }: { content: Record<string, string> }) => content['membership']));
        if (page.chunk.length === 0) break;
        from = page.end;
      }
      expect(own).toEqual(['leave', 'invite']);
    }
  });
});
