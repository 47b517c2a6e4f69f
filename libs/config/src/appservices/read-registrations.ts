import { readFileSync } from 'node:fs';
import { messageOf } from '#kernel/message-of';
import type { Config } from '../config.js';
import { ConfigError } from '../config-error.js';
import type { AppService } from './app-service.js';
import { readRegistration, RegistrationFaults } from './read-registration.js';

/**
 * Reads the registration files that the configuration names. Throws ConfigError with a line for each fault: what cannot be read, what is
 * wrong in a file, and ids and tokens that two of them share (application service API, "Registration").
 */
export function readRegistrations({
  appservices,
  serverName,
}: Pick<Config, 'appservices' | 'serverName'>): AppService[] {
  const faults: string[] = [];
  const read: AppService[] = [];
  const ids = new Map<string, string>();
  const tokens = new Map<string, string>();
  const note = (seen: Map<string, string>, value: string, key: string, path: string): void => {
    const other = seen.get(value);
    if (other !== undefined) faults.push(`${path}: ${key}: the same as in ${other}`);
    seen.set(value, path);
  };
  for (const path of appservices) {
    try {
      const service = readRegistration(readFileSync(path, 'utf8'), serverName);
      note(ids, service.id, 'id', path);
      note(tokens, service.tokenHash, 'as_token', path);
      read.push(service);
    } catch (error) {
      const told = error instanceof RegistrationFaults ? error.faults : [messageOf(error)];
      faults.push(...told.map((fault) => `${path}: ${fault}`));
    }
  }
  if (faults.length > 0) throw new ConfigError(...faults.map((fault) => `ANNALS_APPSERVICES: ${fault}`));
  return read;
}
