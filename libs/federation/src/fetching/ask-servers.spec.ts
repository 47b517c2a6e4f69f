import { describe, expect, it } from 'vitest';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { parseJson } from '#protocol/canonical-json/parse-json';
import type { PeerRequest } from '../peers/peers.js';
import { AskServers } from './ask-servers.js';
import { Errand } from './errand.js';

const ROOM = '!r:m.example' as RoomId;
const IN_ROOM = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm'].map(
  (name) => `${name}.example` as ServerName,
);

const QUESTION = {
  name: 'backfill',
  eventId: '$e' as EventId,
  request: { method: 'GET', path: '/_matrix/x' },
  read: ({ pdus }: { readonly pdus?: unknown }) => (pdus as unknown[]).length,
} as const;

let now = 0;

function start(alone: readonly string[] = [], answer = '{}') {
  const peers = {
    ask: async (_: ServerName, { maxDepth }: PeerRequest) => parseJson(answer, { lenient: true, maxDepth }) as never,
    askBytes: async () => Buffer.from(answer),
    isLeftAlone: (server: ServerName) => alone.includes(server),
  };
  const rooms = { of: async () => new Set(IN_ROOM) };
  return new AskServers(peers, rooms, { serverName: 'a.example' as ServerName }, { elapsed: () => now });
}

describe('the servers that are asked about a room', () => {
  it('are some first, then that where it was made, and in the end all that are in it', async () => {
    const servers = start();
    const first = 'x.example' as ServerName;
    const all = new Set<ServerName>();
    for (let i = 0; i < 5; i++) {
      const listed = await servers.listServers(ROOM, [first]);
      expect(listed.slice(0, 2)).toEqual([first, 'm.example']);
      expect(listed.length).toBeLessThanOrEqual(6);
      for (const server of listed) all.add(server);
    }
    expect(all).toEqual(new Set([first, ...IN_ROOM.slice(1)]));
  });

  it('are none that are left alone', async () => {
    const servers = start(['m.example', 'b.example']);
    for (let i = 0; i < 5; i++) {
      const listed = await servers.listServers(ROOM, []);
      expect(listed).not.toContain('m.example');
      expect(listed).not.toContain('b.example');
    }
  });

  it('may tell an event that nests too deeply among others', async () => {
    const answer = `{"pdus":[${'['.repeat(500)}${']'.repeat(500)},{}]}`;
    const asked = await start([], answer).ask(new Errand(ROOM, []), QUESTION, [IN_ROOM[1]!]);
    expect(asked).toMatchObject({ kind: 'answered', value: 2 });
  });

  it('are asked ever more rarely for what they told that was of no use', async () => {
    const servers = start([], '{"pdus":[]}');
    const ask = async (): Promise<string> => (await servers.ask(new Errand(ROOM, []), QUESTION, [IN_ROOM[1]!])).kind;
    const waited: number[] = [];
    for (const from = now; waited.length < 4; now += 60_000) {
      if ((await ask()) !== 'answered') continue;
      waited.push((now - from) / 60_000);
      servers.blame(QUESTION, IN_ROOM[1]!);
    }
    expect(waited).toEqual([0, 1, 5, 21]);
  });
});
