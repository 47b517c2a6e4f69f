import { readdirSync, readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { readRegistrations } from '#config/appservices/read-registrations';
import type { Config } from '#config/config';
import { ConfigError } from '#config/config-error';

/**
 * Looks at the files and the folder that settings name, before anything is opened or made. Throws ConfigError where one cannot
 * be read, a registration of an application service is wrong, or the certificate and its key do not go together. A data folder that is not there yet is made later.
 */
export function checkFiles(config: Config): void {
  const { dataDir, tlsCert, tlsKey, tlsCa } = config;
  checkFolder('ANNALS_DATA_DIR', dataDir);
  const cert = tlsCert && read('ANNALS_TLS_CERT', tlsCert);
  const key = tlsKey && read('ANNALS_TLS_KEY', tlsKey);
  if (tlsCa !== undefined) read('ANNALS_TLS_CA', tlsCa);
  readRegistrations(config);
  if (cert === undefined || key === undefined) return;
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new ConfigError(`ANNALS_TLS_CERT: ${tlsCert} and its key: ${(error as Error).message}`);
  }
}

function checkFolder(setting: string, path: string): void {
  try {
    readdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new ConfigError(`${setting}: ${path}: ${(error as Error).message}`);
  }
}

function read(setting: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ConfigError(`${setting}: ${path}: ${(error as Error).message}`);
  }
}
