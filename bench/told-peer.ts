import { createReadStream, readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { FakePeer, PEER_AUTHORITY } from '#testing/fake-peer';
import { makeToldRoom, type ToldRoom } from './told-room.js';

/** The program: the servers of a large room, in a process of their own. It ends with its standard input. */
export const PEER = fileURLToPath(import.meta.url);

const SERVERS = 20;

/** What the program says once it answers. */
export interface ToldPeer extends Pick<ToldRoom, 'roomId' | 'stateEvents' | 'authEvents'> {
  /** Who lets others into the room. */
  readonly name: string;
  /** Who vouches for all of them. */
  readonly authority: string;
}

async function serve(directory: string, members: number, older: number): Promise<ToldPeer> {
  const peers: FakePeer[] = [];
  for (let i = 0; i < SERVERS; i++) peers.push(await FakePeer.start(i + 1));
  const room = await makeToldRoom(
    directory,
    members,
    older,
    peers.map(({ server }) => server),
  );
  const [first] = peers as [FakePeer];
  first.on('GET', '/_matrix/federation/v1/make_join/([^/]+)/([^/]+)', ({ parts: [, userId = ''] }) => {
    const event = {
      auth_events: [...room.toJoin],
      content: { membership: 'join' },
      depth: room.depth,
      origin_server_ts: Date.now(),
      prev_events: [room.last],
      room_id: room.roomId,
      sender: userId,
      state_key: userId,
      type: 'm.room.member',
    };
    return { body: { room_version: room.version, event } };
  });
  const names = peers.map(({ name }) => name);
  const head = readFileSync(room.stateFile, 'utf8').split('\n', room.headEvents);
  first.on('PUT', '/_matrix/federation/v2/send_join/([^/]+)/([^/]+)', ({ body, path }, response) => {
    if (path.endsWith('?omit_members=true')) {
      const besides = `"members_omitted":true,"servers_in_room":${JSON.stringify(names)}`;
      response.end(`{"event":${body},${besides},"state":[${head.join()}],"auth_chain":[]}`);
    } else void tell(room, response, `"event":${body},"state"`);
    return undefined;
  });
  first.on('GET', '/_matrix/federation/v1/state/([^/]+)', (_, response) => {
    void tell(room, response, '"pdus"');
    return undefined;
  });
  for (const peer of peers) {
    peer.on('PUT', '/_matrix/federation/v1/send/([^/]+)', () => ({ body: { pdus: {} } }));
  }
  const { roomId, stateEvents, authEvents } = room;
  return { name: first.name, authority: PEER_AUTHORITY.certificate, roomId, stateEvents, authEvents };
}

/** Writes the whole room, as fast as it is read. `before`: what stands before the list of its state. */
async function tell({ stateFile, authFile }: ToldRoom, response: ServerResponse, before: string): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.write(`{${before}:[`);
  await writeLines(stateFile, response);
  response.write('],"auth_chain":[');
  await writeLines(authFile, response);
  response.end(']}');
}

/** PERF: line feeds become commas, so that what is measured does not wait for this. */
async function writeLines(file: string, response: ServerResponse): Promise<void> {
  const last = readFileSync(file).length - 1;
  let at = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    for (let feed = chunk.indexOf(0x0a); feed >= 0; feed = chunk.indexOf(0x0a, feed + 1)) {
      chunk[feed] = at + feed === last ? 0x20 : 0x2c;
    }
    at += chunk.length;
    if (!response.write(chunk)) await new Promise((resolve) => response.once('drain', resolve));
  }
}

if (process.argv[1] === PEER) {
  const [directory, members, older] = process.argv.slice(2);
  const told = await serve(directory!, Number(members), Number(older));
  process.stdout.write(`${JSON.stringify(told)}\n`);
  createInterface(process.stdin).once('close', () => process.exit());
}
