import { systemClock } from '#kernel/clock';
import { START } from '#kernel/position';
import { readServices } from '../appservices/run-appservices.js';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import type { Installation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { counted } from '../terminal/units.js';
import { readKeyFiles } from '../verify/own-keys.js';
import { type Check, checkLine, fail, type Level, ok } from './check.js';
import { checkSigningKeys } from './key-checks.js';
import { checkEffects, lookAtLog } from './log-checks.js';
import { checkClock, checkDataFolder, checkDiskSpace, checkLimits, checkNode, checkPrivate } from './machine-checks.js';
import { checkHealth, lookAtServer } from './server-checks.js';
import { checkServices } from './service-checks.js';
import { checkCertificate, checkOpenness, checkPublicUrl, checkServerName } from './settings-checks.js';
import { checkDatabase, checkViews } from './views-checks.js';

export interface RunDoctorOptions {
  readonly json: boolean;
}

/**
 * Looks at everything a server needs and says what to do about what is not well. `find` reads the configuration. Exit code 1
 * where something cannot wait.
 */
export async function runDoctor(
  find: () => Installation,
  terminal: Terminal,
  { json }: RunDoctorOptions,
): Promise<ExitCode> {
  const levels: Record<Level, number> = { ok: 0, warn: 0, fail: 0 };
  for await (const check of examine(find)) {
    levels[check.level]++;
    await terminal.line(json ? JSON.stringify(check) : checkLine(check));
  }
  if (!json)
    await terminal.line(`${levels.ok} ok, ${counted(levels.warn, 'warning')}, ${counted(levels.fail, 'failure')}`);
  return levels.fail === 0 ? EXIT.ok : EXIT.found;
}

async function* examine(find: () => Installation): AsyncGenerator<Check> {
  yield checkNode(process.versions.node, process.arch);
  const installation = findOrSay(find);
  if (!('config' in installation)) return yield installation;
  const { config } = installation;
  const { dataDir } = config;
  yield ok('configuration', 'valid');
  yield checkDataFolder(dataDir);
  for (const folder of [dataDir, `${dataDir}/log`, `${dataDir}/keys`]) yield* checkPrivate('data folder', folder);
  yield checkDiskSpace(dataDir);

  const server = await lookAtServer(installation);
  yield server.check;
  if (server.address !== undefined) yield await checkHealth(server.address);
  yield* checkLimits(server.writer);

  const log = await lookAtLog(installation);
  yield log.check;
  if (log.effectLetters !== undefined) yield checkEffects(log.effectLetters);
  // What is wrong with the log or the server is said above.
  if (log.head !== undefined && log.head !== START)
    yield* checkServices(await readServices(installation).catch(() => []));
  yield checkClock(systemClock.now(), log.lastAt, log.clockHeldFrom);
  yield* checkSigningKeys(readKeyFiles(dataDir), log.head === START, log.identity);
  const database = await checkDatabase(config);
  yield* database;
  const hasViews = log.head !== undefined && log.head !== START && database.every(({ level }) => level === 'ok');
  if (hasViews) yield* await checkViews(installation);

  yield checkServerName(config, log.server);
  yield checkPublicUrl(config);
  yield* checkOpenness(config);
  yield* checkCertificate(config, systemClock.now());
}

function findOrSay(find: () => Installation): Installation | Check {
  try {
    return find();
  } catch (error) {
    if (!(error instanceof CliFailure)) throw error;
    return fail('configuration', error.message, 'correct it; the other checks need it');
  }
}
