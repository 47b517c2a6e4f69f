import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { MongoServerError } from 'mongodb';
import { expect, it } from 'vitest';
import { isAway, isRefusal } from './unreachable.js';

/** A connection to a server that ends each of them at once. */
async function endedSocket(): Promise<Socket> {
  const server = createServer((socket) => socket.end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.resume();
  await once(socket, 'end');
  server.close();
  return socket;
}

/** What a socket says to who writes to it. */
async function writeError(socket: Socket): Promise<Error> {
  return new Promise((resolve, reject) => {
    socket.on('error', () => {});
    socket.write('hello', (error) => (error ? resolve(error) : reject(new Error('it was written'))));
  });
}

it('takes a database for away where a socket was ended by it, or is destroyed, as the driver tells it', async () => {
  const ended = await endedSocket();
  const ofEnded = await writeError(ended);
  expect(ofEnded).toMatchObject({ code: expect.stringMatching(/^E/) });
  expect(isAway(ofEnded)).toBe(true);
  ended.destroy();
  expect(isAway(await writeError(ended))).toBe(true);
});

it('takes for a refusal what a database says that is locked, and nothing that is asked wrongly, or where it is away', () => {
  const said = (code: number, message: string): MongoServerError => new MongoServerError({ code, message });
  expect(isRefusal(said(1, 'database is locked'))).toBe(true);
  expect(isRefusal(said(50, 'operation exceeded time limit'))).toBe(true);
  expect(isRefusal(said(10_334, 'BSONObj size is invalid'))).toBe(false);
  expect(isRefusal(said(10_107, 'not primary'))).toBe(false);
  expect(isRefusal(new TypeError('no such property'))).toBe(false);
});

it('takes no mistake of ours for that', () => {
  expect(isAway(new TypeError('no such property'))).toBe(false);
  expect(isAway(Object.assign(new Error('not a string'), { code: 'ERR_INVALID_ARG_TYPE' }))).toBe(false);
});
