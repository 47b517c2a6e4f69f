// Starts one of the programs, after building what is missing or older than its sources:
//   node apps/start.mjs homeserver | cli | bench  [arguments]
//   node apps/start.mjs build            builds, and starts none
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const PROGRAMS = {
  homeserver: 'dist/bundle/homeserver.js',
  cli: 'dist/bundle/cli.js',
  bench: 'dist/bench/main.js',
};
/** What programs read beside their code; the compiler leaves it where it is. */
const PAGES = 'apps/cli/src/audit/html';
const SOURCES = ['apps', 'libs', 'bench', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];
/** A build takes seconds: a lock this old belongs to one that died. */
const STALE_LOCK_MS = 120_000;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = join(root, 'dist/.built');
const lock = join(root, 'dist/.building');
/** Whether this process builds. */
let isLocked = false;

const isPage = (name) => name.endsWith('.css') || name.endsWith('.js');

function newestOf(path) {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return 0;
  if (!stats.isDirectory()) return stats.mtimeMs;
  // The time of a folder tells of files that were removed.
  let newest = stats.mtimeMs;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const matters =
      entry.isDirectory() || isPage(entry.name) || (entry.name.endsWith('.ts') && !entry.name.endsWith('.spec.ts'));
    if (matters) newest = Math.max(newest, newestOf(join(path, entry.name)));
  }
  return newest;
}

function isStale() {
  const stamp = statSync(built, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  // An installation without sources has been built elsewhere.
  if (!existsSync(join(root, 'tsconfig.build.json'))) return false;
  return stamp === 0 || SOURCES.some((source) => newestOf(join(root, source)) > stamp);
}

/** As `buildInTurn`; ends with a line where nothing can be written, as in an installation that is mounted to be read. */
async function build(isWanted = isStale) {
  try {
    await buildInTurn(isWanted);
  } catch (error) {
    if (error.syscall === undefined) throw error;
    fail(`the program must be built, for it is older than its sources, and cannot be here: ${error.message}`);
  }
}

/** Runs the compiler, one process at a time; who waited looks again whether there is anything left to do. */
async function buildInTurn(isWanted) {
  mkdirSync(join(root, 'dist'), { recursive: true });
  while (!tryLock()) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const lockedAt = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    // A lock of the future is one of before the clock was set back.
    if (Math.abs(Date.now() - lockedAt) > STALE_LOCK_MS) unlock();
  }
  try {
    if (isWanted()) compile();
  } finally {
    unlock();
  }
}

function compile() {
  process.stderr.write('annals: building\n');
  const started = new Date();
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  if (!existsSync(compiler)) fail('there is no compiler: run "npm ci" first');
  for (const step of [[compiler, '-p', 'tsconfig.build.json'], ['apps/bundle.mjs']]) {
    const { status } = spawnSync(process.execPath, step, { cwd: root, stdio: ['ignore', 2, 2] });
    if (status !== 0) fail('the build failed');
  }
  for (const name of readdirSync(join(root, PAGES)).filter(isPage)) {
    for (const folder of [PAGES, 'bundle']) copyFileSync(join(root, PAGES, name), join(root, 'dist', folder, name));
  }
  writeFileSync(built, `${started.toISOString()}\n`);
}

function tryLock() {
  try {
    mkdirSync(lock);
    isLocked = true;
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function unlock() {
  isLocked = false;
  try {
    rmdirSync(lock);
  } catch {
    // It is gone already.
  }
}

function fail(message) {
  process.stderr.write(`annals: ${message}\n`);
  if (isLocked) unlock();
  process.exit(1);
}

if (process.argv[2] === 'homeserver') {
  // First of all, for a start takes a while. What nobody listens to ends the process as if it had failed, and where it is the first
  // one of a container is passed over. The server drains, and reloads, by listeners of its own once there is something to do.
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
  process.on('SIGHUP', () => {});
  // Node opens its debugger at this one unless somebody listens to it: to whoever may send signals, a way in.
  process.on('SIGUSR1', () => {});
}

// What is printed there, by a library too, may find a full disk or a closed pipe, which is no reason to end.
process.stderr.on('error', () => {});

if (process.argv[2] === 'build') {
  await build(() => true);
  process.exit();
}
const program = PROGRAMS[process.argv[2]];
if (program === undefined) fail(`start what? ${Object.keys(PROGRAMS).join(', ')}`);
if (isStale()) await build();
// Where Node can (from 22 on), compiled code is kept for the next start.
module.enableCompileCache?.(join(root, 'dist/.cache'));
// In this very process: signals arrive where they are meant to.
const main = join(root, program);
process.argv.splice(1, 2, main);
await import(pathToFileURL(main).href);
