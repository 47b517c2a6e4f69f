import { join } from 'node:path';
import { rolldown } from 'rolldown';

/** Programs, and those that they run as processes of their own, which they look for beside the file that they are in. */
const ENTRIES = {
  homeserver: 'dist/apps/homeserver/src/main.js',
  cli: 'dist/apps/cli/src/main.js',
  'find-damage-process': 'dist/libs/event-store/src/lmdb/find-damage-process.js',
  'verify-process': 'dist/apps/cli/src/verify/verify-process.js',
};
/** What finds files of its own by where it lies, or is loaded only where something asks for it. */
const APART = /^(lmdb|@node-rs\/argon2|mongodb|@kurrent\/kurrentdb-client|pino|pino-pretty|prettier|yaml)(\/|$)/;

/**
 * Puts what the compiler wrote for the programs, and the libraries that they always load, into a few files in `dist/bundle`: to
 * find and load fifteen hundred modules takes half of a start.
 */
export async function bundle(root) {
  const build = await rolldown({
    cwd: root,
    input: ENTRIES,
    platform: 'node',
    external: APART,
    // Libraries name others that are optional, and handle that they are not there.
    logLevel: 'silent',
  });
  // Nest tells providers apart, and errors are told, by the names of classes.
  const names = { entryFileNames: '[name].js', chunkFileNames: '[name].js' };
  await build.write({ dir: join(root, 'dist/bundle'), format: 'esm', keepNames: true, cleanDir: true, ...names });
  await build.close();
}
