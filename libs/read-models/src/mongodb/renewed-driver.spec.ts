import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { BSON } from 'mongodb';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { clientOf } from './connect.js';
import { RenewedClient } from './renewed-client.js';

const [OP_REPLY, OP_QUERY, OP_MSG] = [1, 2004, 2013];
const HEADER_BYTES = 16;
const HELLO = { ok: 1, helloOk: true, isWritablePrimary: true, minWireVersion: 0, maxWireVersion: 21, logicalSessionTimeoutMinutes: 30, maxBsonObjectSize: 16_777_216, maxMessageSizeBytes: 48_000_000 }; // prettier-ignore
/** It has more than the first rows. */
const MORE = { ok: 1, cursor: { id: BSON.Long.fromNumber(5), ns: 'annals.a', firstBatch: [{ _id: 1 }] } };

/** A database that never answers who has no more use for the rest of what they read. */
let server: Server;
let asked: string[];
const sockets = new Set<Socket>();

beforeEach(async () => {
  asked = [];
  server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    let bytes = Buffer.alloc(0);
    socket.on('data', (more: Buffer) => {
      bytes = Buffer.concat([bytes, more]);
      while (bytes.length >= HEADER_BYTES && bytes.length >= bytes.readInt32LE(0)) {
        const length = bytes.readInt32LE(0);
        answer(socket, bytes.subarray(0, length));
        bytes = bytes.subarray(length);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

function answer(socket: Socket, message: Buffer): void {
  const isQuery = message.readInt32LE(12) === OP_QUERY;
  const command = isQuery ? 'hello' : Object.keys(BSON.deserialize(message.subarray(HEADER_BYTES + 5)))[0]!;
  if (command !== 'hello') asked.push(command);
  if (command !== 'hello' && command !== 'find') return;
  const text = BSON.serialize(command === 'find' ? MORE : HELLO);
  // Before the document: no flags, and what else there is of a reply, or that one follows.
  const before = isQuery ? Buffer.from([...Array<number>(16).fill(0), 1, 0, 0, 0]) : Buffer.alloc(5);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeInt32LE(HEADER_BYTES + before.length + text.length, 0);
  header.writeInt32LE(message.readInt32LE(4), 8);
  header.writeInt32LE(isQuery ? OP_REPLY : OP_MSG, 12);
  socket.write(Buffer.concat([header, before, text]));
}

it('the driver is connected anew though nothing answers as it closes', async () => {
  const { port } = server.address() as AddressInfo;
  const client = clientOf(`mongodb://127.0.0.1:${port}/annals?directConnection=true`);
  const renewed = new RenewedClient(client, 500);
  await client.connect();
  const read = (): Promise<unknown> => client.db().collection('a').find().next();
  expect(await read()).toEqual({ _id: 1 });
  let opened = 0;
  client.on('topologyOpening', () => opened++);
  renewed.renew();
  await expect.poll(() => opened, { timeout: 5000 }).toBe(1);
  expect(asked).toContain('killCursors');
  await expect.poll(() => read().catch(String), { timeout: 5000 }).toEqual({ _id: 1 });
  expect(opened).toBe(1);
  await renewed.close();
  await expect(read()).rejects.toThrow('connected');
});
