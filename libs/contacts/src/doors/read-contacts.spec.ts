import type { FastifyRequest } from 'fastify';
import { expect, it } from 'vitest';
import type { ServerName } from '#kernel/ids';
import { readContacts, readingOf } from './read-contacts.js';

const ours = 'a.example' as ServerName;
const PHONES = {
  name: 'x',
  threepids: Array.from({ length: 100 }, () => ({ medium: 'msisdn', address: '030 5555555' })),
};

it('lets others have their turn while contacts are read', async () => {
  const body = Buffer.from(JSON.stringify({ contacts: Array.from({ length: 150 }, () => PHONES) }));
  const request = { body, headers: { 'content-type': 'application/json' } } as unknown as FastifyRequest;
  let turns = 0;
  let isOver = false;
  const others = (): void => {
    turns++;
    if (!isOver) setImmediate(others);
  };
  const reading = await readingOf(ours, { country: 'DE' });
  setImmediate(others);
  expect(await readContacts(request, reading)).toHaveLength(150);
  isOver = true;
  expect(turns).toBeGreaterThan(3);
});
