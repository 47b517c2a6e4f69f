import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, it } from 'vitest';
import { bodyOf } from './body-of.js';

it('the body of a request is all of it, and nothing fails where its client goes away before', async () => {
  const came: string[] = [];
  const server = createServer((request, response) => {
    came.push('a head');
    void bodyOf(request).then((text) => response.end(text));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const half = connect(port, '127.0.0.1');
  half.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf');
  await expect.poll(() => came).toHaveLength(1);
  half.resetAndDestroy();
  await expect.poll(async () => (await connections(server)).count).toBe(0);
  const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: 'päßword' });
  expect(await answer.text()).toBe('päßword');
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

function connections(server: ReturnType<typeof createServer>): Promise<{ readonly count: number }> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve({ count }) : reject(error)));
  });
}
