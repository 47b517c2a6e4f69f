import { readFileSync } from 'node:fs';
import { type Config, loadConfig } from './config.js';
import { ConfigError } from './config-error.js';

const DEFAULT_PATH = './annals.yaml';

/**
 * Loads the configuration of this process: the file that `ANNALS_CONFIG` names (or `./annals.yaml` where there is one) and
 * the environment. Throws ConfigError.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): Config {
  return loadConfig(env, readYaml(env.ANNALS_CONFIG));
}

function readYaml(named: string | undefined): string | undefined {
  try {
    return readFileSync(named || DEFAULT_PATH, 'utf8');
  } catch (error) {
    if (!named && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ConfigError(`ANNALS_CONFIG: ${(error as Error).message}`);
  }
}
