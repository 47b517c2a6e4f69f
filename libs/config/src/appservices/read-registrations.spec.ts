import { expect, it } from 'vitest';
import type { ServerName, UserId } from '#kernel/ids';
import { writeRegistration } from '#testing/registration-file';
import { AppServices } from './app-services.js';
import { readRegistrations } from './read-registrations.js';

const serverName = 'example.org' as ServerName;

it('reads all files, and knows whose a token is', () => {
  const appservices = [writeRegistration(), writeRegistration({ id: 'other', as_token: 'of-another' })];
  const services = new AppServices(readRegistrations({ appservices, serverName }));
  expect(services.findByToken('of-another')?.id).toBe('other');
  expect(services.findByToken('of-nobody')).toBeUndefined();
  expect(services.isUserReserved('@_bridge_alice:example.org' as UserId)).toBe(true);
});

it('names each file, each fault in a line of its own', () => {
  const [first, second] = [writeRegistration(), writeRegistration({ url: 7, rate_limited: 7 })];
  const appservices = [first, first, second, '/nowhere/registration.yaml'];
  expect(() => readRegistrations({ appservices, serverName })).toThrow(
    [
      `ANNALS_APPSERVICES: ${first}: id: the same as in ${first}`,
      `ANNALS_APPSERVICES: ${first}: as_token: the same as in ${first}`,
      `ANNALS_APPSERVICES: ${second}: url: must be an http or https URL, or null`,
      `ANNALS_APPSERVICES: ${second}: rate_limited: must be true or false`,
      'ANNALS_APPSERVICES: /nowhere/registration.yaml: ENOENT',
    ].join('\n'),
  );
});
