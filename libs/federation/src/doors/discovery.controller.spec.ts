import { describe, expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import { SOFTWARE } from '#kernel/software';
import { FederatedServers } from '../peers/federated-servers.js';
import { DiscoveryController } from './discovery.controller.js';

function doorOf(env: Record<string, string>): DiscoveryController {
  const config = loadConfig(env);
  return new DiscoveryController(config, new FederatedServers(config));
}

describe('what a server says of itself to those who look for it', () => {
  it('is where other servers find it', () => {
    const door = doorOf({ ANNALS_FEDERATION_ADDRESS: 'matrix.example.org' });
    expect(door.server().text).toBe('{"m.server":"matrix.example.org"}');
    const byUrl = doorOf({ ANNALS_PUBLIC_URL: 'https://matrix.example.org' });
    expect(byUrl.server().text).toBe('{"m.server":"matrix.example.org:443"}');
    expect(() => doorOf({}).server()).toThrow('Not found');
  });

  it('is whom to write to', () => {
    const door = doorOf({ ANNALS_SUPPORT_EMAIL: 'admin@example.org', ANNALS_SUPPORT_PAGE: 'https://example.org/help' });
    expect(JSON.parse(door.support().text)).toEqual({
      contacts: [{ role: 'm.role.admin', email_address: 'admin@example.org' }],
      support_page: 'https://example.org/help',
    });
    const page = doorOf({ ANNALS_SUPPORT_PAGE: 'https://example.org/help' });
    expect(JSON.parse(page.support().text)).toEqual({ support_page: 'https://example.org/help' });
    expect(() => doorOf({}).support()).toThrow('Not found');
  });

  it('is its make and version', () => {
    expect(JSON.parse(doorOf({}).version().text)).toEqual({ server: SOFTWARE });
  });

  it('is nothing where it speaks to no others, but whom to write to', () => {
    const door = doorOf({
      ANNALS_FEDERATION: 'off',
      ANNALS_FEDERATION_ADDRESS: 'example.org',
      ANNALS_SUPPORT_EMAIL: 'a@b.c',
    });
    expect(() => door.server()).toThrow('Not found');
    expect(() => door.version()).toThrow('speaks to no others');
    expect(door.support().text).toContain('a@b.c');
  });
});
