import 'reflect-metadata';
import { ConfigError, EXIT_CONFIG } from '#config/config-error';
import { readConfig } from '#config/read-config';
import { checkFiles } from './check-files.js';

try {
  const config = readConfig();
  checkFiles(config);
  // Loaded only now: a wrong setting is told at once.
  const [{ openLog }, { runServer }] = await Promise.all([import('#observability/logger'), import('./run-server.js')]);
  await runServer(config, await openLog(config.log));
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  // Whatever has been opened by then must not hold it up.
  process.stderr.write(`${error.message.replaceAll(/^/gm, 'annals: ')}\n`, () => process.exit(EXIT_CONFIG));
}
