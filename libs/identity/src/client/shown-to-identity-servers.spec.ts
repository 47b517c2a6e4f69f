import { beforeEach, expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import type { JsonObject } from '#kernel/json';
import { PeerRefused } from '#kernel/peer-errors';
import { MemoryEventStore } from '#testing/memory-event-store';
import type { IdentityServers } from './identity-servers.js';
import { ShownToIdentityServers } from './shown-to-identity-servers.js';
import type { Validations } from '../validations.js';

const HOUR_MS = 3600_000;
const NOW = 1_000 * HOUR_MS;
const BY = { sid: '7', clientSecret: 'secret', idServer: 'id.example', idAccessToken: 'token' };

let told: JsonObject;
let refusal: PeerRefused | undefined;
let now: number;
let shown: ShownToIdentityServers;
beforeEach(() => {
  refusal = undefined;
  told = { medium: 'email', address: 'bob@mail.example', validated_at: NOW };
  now = NOW;
  const config = loadConfig({ ANNALS_SERVER_NAME: 'a.example', ANNALS_IDENTITY_TRUSTED_SERVERS: 'id.example' });
  const findValidated = () => (refusal === undefined ? Promise.resolve(told) : Promise.reject(refusal));
  const servers = { findValidated } as unknown as IdentityServers;
  const clock = { now: () => now, elapsed: () => 0 };
  shown = new ShownToIdentityServers(
    new MemoryEventStore(),
    clock,
    config,
    servers,
    undefined as unknown as Validations,
  );
});

it('is shown to nobody where the server says so, and may be where it cannot say', async () => {
  refusal = new PeerRefused(404, { errcode: 'M_NO_VALID_SESSION' });
  expect(await shown.take(BY, null)).toBeUndefined();
  for (const status of [429, 503]) {
    refusal = new PeerRefused(status, {});
    await expect(shown.take(BY, null)).rejects.toMatchObject({ status });
  }
});

it('is good for one thing, in whatever way the id of its session is written', async () => {
  const threepid = { medium: 'email', address: 'bob@mail.example' };
  expect(await shown.take(BY, null)).toEqual({ threepid, validatedAt: NOW });
  for (const sid of ['7', '07', ' 7']) expect(await shown.take({ ...BY, sid }, null)).toBeUndefined();
  told = { ...told, validated_at: NOW + 1 };
  expect(await shown.take(BY, null)).toEqual({ threepid, validatedAt: NOW + 1 });
});

it('is good for as long as it is known here that it was used', async () => {
  now = NOW + 24 * HOUR_MS;
  expect(await shown.take(BY, null)).toBeDefined();
  now += 48 * HOUR_MS;
  expect(await shown.take(BY, null)).toBeUndefined();
  told = { ...told, validated_at: now + 25 * HOUR_MS };
  expect(await shown.take(BY, null)).toBeUndefined();
});
