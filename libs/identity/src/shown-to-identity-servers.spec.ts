import { beforeEach, expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import type { JsonObject } from '#kernel/json';
import { MemoryEventStore } from '#testing/memory-event-store';
import type { IdentityServers } from './client/identity-servers.js';
import { ShownToIdentityServers } from './shown-to-identity-servers.js';
import type { Validations } from './validations.js';

const HOUR_MS = 3600_000;
const NOW = 1_000 * HOUR_MS;
const BY = { sid: '7', clientSecret: 'secret', idServer: 'id.example', idAccessToken: 'token' };

let told: JsonObject;
let now: number;
let shown: ShownToIdentityServers;
beforeEach(() => {
  told = { medium: 'email', address: 'bob@mail.example', validated_at: NOW };
  now = NOW;
  const config = loadConfig({ ANNALS_SERVER_NAME: 'a.example', ANNALS_IDENTITY_TRUSTED_SERVERS: 'id.example' });
  const servers = { findValidated: () => Promise.resolve(told) } as unknown as IdentityServers;
  const clock = { now: () => now, elapsed: () => 0 };
  shown = new ShownToIdentityServers(
    new MemoryEventStore(),
    clock,
    config,
    servers,
    undefined as unknown as Validations,
  );
});

it('is good for one thing, in whatever way the id of its session is written', async () => {
  const threepid = { medium: 'email', address: 'bob@mail.example' };
  expect(await shown.take(BY)).toEqual({ threepid, validatedAt: NOW });
  for (const sid of ['7', '07', ' 7']) expect(await shown.take({ ...BY, sid })).toBeUndefined();
  told = { ...told, validated_at: NOW + 1 };
  expect(await shown.take(BY)).toEqual({ threepid, validatedAt: NOW + 1 });
});

it('is good for as long as it is known here that it was used', async () => {
  now = NOW + 24 * HOUR_MS;
  expect(await shown.take(BY)).toBeDefined();
  now += 48 * HOUR_MS;
  expect(await shown.take(BY)).toBeUndefined();
  told = { ...told, validated_at: now + 25 * HOUR_MS };
  expect(await shown.take(BY)).toBeUndefined();
});
