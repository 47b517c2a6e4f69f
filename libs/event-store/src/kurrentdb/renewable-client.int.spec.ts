import { KurrentDBClient } from '@kurrent/kurrentdb-client';
import { expect, it } from 'vitest';
import { startKurrentStandIn } from '#testing/kurrentdb-stand-in/kurrentdb-stand-in';
import { someFacts } from '../store-under-test.js';
import { eventOf } from './kurrent-facts.js';
import { RenewableClient } from './renewable-client.js';
import { isTransient } from './transient.js';

it('lets a call be tried again that comes to a client which was thrown away meanwhile', async () => {
  const server = await startKurrentStandIn();
  const clients = new RenewableClient(() => KurrentDBClient.connectionString`${server.url}`, true);
  const old = clients.current;
  await old.appendToStream('a', someFacts(1).map(eventOf));
  clients.renew(old);
  await clients.close();
  const error = await old.appendToStream('a', someFacts(1).map(eventOf)).catch((caught: unknown) => caught);
  await server.close();
  expect(error).toBeInstanceOf(Error);
  expect(isTransient(error)).toBe(true);
});
