import { expect, it } from 'vitest';
import { MatrixAdapter } from './matrix-adapter.js';
import { withoutPorts } from './without-ports.js';

it.each([
  ['1.2.3.4', '1.2.3.4'],
  ['1.2.3.4:5678', '1.2.3.4'],
  ['1.2.3.4:5678, 10.0.0.1:443', '1.2.3.4, 10.0.0.1'],
  ['2001:db8::1', '2001:db8::1'],
  ['2001:db8::1:5678', '2001:db8::1:5678'],
  ['[2001:db8::1]:5678', '2001:db8::1'],
  ['[2001:DB8::1]', '2001:DB8::1'],
  ['[::ffff:1.2.3.4]:80,  5.6.7.8 ', '::ffff:1.2.3.4, 5.6.7.8'],
  ['unknown', 'unknown'],
  ['host:80', 'host:80'],
  ['', ''],
])('reads %j as %j', (told, read) => expect(withoutPorts(told)).toBe(read));

it.each([
  [['127.0.0.1'], '1.2.3.4:5678', '1.2.3.4'],
  // Whom the client says it is, and whom the proxy in front of a trusted one has seen.
  [['127.0.0.1', '10.0.0.1'], '9.9.9.9, [2001:db8::1]:5678, 10.0.0.1:443', '2001:db8::1'],
  [[], '1.2.3.4:5678', '127.0.0.1'],
])('is from whom the proxies %j say: %s', async (trustProxy, told, ip) => {
  const fastify = new MatrixAdapter({ trustProxy }).getInstance();
  fastify.get('/ip', (request, reply) => void reply.send(request.ip));
  const answer = await fastify.inject({ url: '/ip', headers: { 'x-forwarded-for': told } });
  expect(answer.payload).toBe(ip);
});
