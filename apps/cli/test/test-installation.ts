import { findInstallation, type Installation } from '../src/installation.js';

/** The data folder of a test as the command line finds it: that of the server a.example, unless settings say otherwise. */
export function testInstallation(path: string, settings: Readonly<Record<string, string>> = {}): Installation {
  return findInstallation(path, { ANNALS_SERVER_NAME: 'a.example', ...settings });
}
