import { constants, accessSync, readFileSync, type Stats, statfsSync, statSync } from 'node:fs';
import { size } from '../terminal/units.js';
import { type Check, fail, ok, warn } from './check.js';

const OLDEST_NODE = [20, 19] as const;

/** `version`: as `process.versions.node`; `arch`: as `process.arch`. */
export function checkNode(version: string, arch: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isOldEnough = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  if (!isOldEnough) return fail('node', `version ${version}`, `install ${OLDEST_NODE.join('.')} or a later one`);
  // LMDB maps its files into memory: they must fit into the address space.
  if (!arch.endsWith('64') && arch !== 's390x') {
    return fail(
      'node',
      `version ${version} for ${arch}`,
      'install a 64-bit Node: a log larger than 2 GiB cannot be opened',
    );
  }
  return ok('node', `version ${version} for ${arch}`);
}

/** Whether the process may use a data folder, and nobody else may look into it. */
export function checkDataFolder(path: string): Check {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return warn('data folder', `${path} does not exist`, 'the first start makes it');
  if (!stats.isDirectory()) return fail('data folder', `${path} is no folder`, 'set ANNALS_DATA_DIR');
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch {
    return fail('data folder', `${path} cannot be written`, 'run this as the user of the server, who should own it');
  }
  const uid = process.getuid?.();
  if (uid !== undefined && uid !== stats.uid) {
    return warn('data folder', `${path} belongs to another user`, 'run this as the user of the server');
  }
  return ok('data folder', `${path} can be written`);
}

/** Undefined where there is nothing, or nothing that we may look at: that has been told of the folder it is in. */
function statIfReachable(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Whether others on the machine can look into a folder that holds secrets. */
export function checkPrivate(name: string, path: string): Check[] {
  const stats = statIfReachable(path);
  if (stats === undefined || (stats.mode & 0o077) === 0) return [];
  const mode = (stats.mode & 0o777).toString(8);
  return [warn(name, `${path} is open to other users of this machine (mode ${mode})`, `chmod -R go= ${path}`)];
}

const LITTLE_BYTES = 1024 ** 3;
const TOO_LITTLE_BYTES = 100 * 1024 ** 2;

/** Whether the disk that a path is on has room. */
export function checkDiskSpace(path: string): Check {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return ok('disk', 'nothing is stored yet');
  const { bavail, bsize } = statfsSync(path);
  return judgeDiskSpace(bavail * bsize);
}

/** `free`: in bytes. */
export function judgeDiskSpace(free: number): Check {
  const text = `${size(free)} are free`;
  if (free < TOO_LITTLE_BYTES) return fail('disk', text, 'make room: the log cannot be written when the disk is full');
  if (free < LITTLE_BYTES) return warn('disk', text, 'make room before it is needed');
  return ok('disk', text);
}

const FEW_FILES = 4096;

/** The limits of a process (of the server where it runs here, else of this one), as Linux tells them; nothing elsewhere. */
export function checkLimits(pid: number | undefined): Check[] {
  for (const who of [pid, 'self']) {
    if (who === undefined) continue;
    try {
      return judgeLimits(readFileSync(`/proc/${who}/limits`, 'utf8'));
    } catch {
      // Another machine's process, another user's, or no Linux.
    }
  }
  return [];
}

/** `limits`: the text of a file `limits` in `/proc`. Nothing of what it does not say. */
export function judgeLimits(limits: string): Check[] {
  const limitOf = (name: string): number | undefined => {
    const text = new RegExp(`^${name}\\s+(\\S+)`, 'm').exec(limits)?.[1];
    return text === undefined ? undefined : text === 'unlimited' ? Infinity : Number(text);
  };
  const memory = limitOf('Max address space');
  const files = limitOf('Max open files');
  const checks: Check[] = [];
  if (memory !== undefined && memory !== Infinity) {
    const text = `the address space is limited to ${size(memory)}`;
    checks.push(warn('memory maps', text, 'lift it (ulimit -v unlimited): log and views are mapped into memory'));
  } else if (memory !== undefined) checks.push(ok('memory maps', 'the address space is not limited'));
  if (files !== undefined && files < FEW_FILES) {
    const text = `${files} may be open at once`;
    checks.push(warn('files', text, `allow at least ${FEW_FILES} (ulimit -n, LimitNOFILE): every client is one`));
  } else if (files !== undefined)
    checks.push(ok('files', `${files === Infinity ? 'any number' : files} may be open at once`));
  return checks;
}

/** No clock of a working machine shows less: this program is younger. */
const NOT_BEFORE = Date.UTC(2026, 0, 1);
const AHEAD_MS = 60_000;

/** `lastFact`: when the last fact of the log was decided; `heldFrom`: from when on the server believes what it says (`HeldClock`). In milliseconds. */
export function checkClock(now: number, lastFact: number | undefined, heldFrom = now): Check {
  const shown = new Date(now).toISOString();
  if (now < NOT_BEFORE) return fail('clock', `it shows ${shown}`, 'set it, and let NTP keep it');
  if (lastFact !== undefined && lastFact - now > AHEAD_MS) {
    const text = `it shows ${shown}, before the last fact of the log (${new Date(lastFact).toISOString()})`;
    return fail('clock', text, 'it was wrong then or is wrong now: let NTP keep it');
  }
  if (heldFrom > now) {
    const until = new Date(heldFrom).toISOString();
    const text = `it shows ${shown}, and the log knows nothing of the week before: nothing is destroyed for its age until ${until}`;
    return warn('clock', text, 'put it right if it is wrong; where it is right: annals clock accept DATE');
  }
  return ok('clock', `it shows ${shown}`);
}
