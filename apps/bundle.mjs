import { rolldown } from 'rolldown';

/** Programs, and those that they run as processes of their own, which they look for beside the file that they are in. */
const ENTRIES = {
  homeserver: 'dist/apps/homeserver/src/main.js',
  cli: 'dist/apps/cli/src/main.js',
  'copy-views-process': 'dist/libs/read-models/src/lmdb/copy-views-process.js',
  'find-damage-process': 'dist/libs/event-store/src/lmdb/find-damage-process.js',
  'picture-process': 'dist/libs/media/src/pictures/picture-process.js',
  'verify-process': 'dist/apps/cli/src/verify/verify-process.js',
};
/** What finds files of its own by where it lies, or is loaded only where something asks for it. */
const APART =
  /^(lmdb|@node-rs\/argon2|sodium-native|mongodb|@kurrent\/kurrentdb-client|pino|pino-pretty|prettier|sharp|yaml)(\/|$)/;

// Puts what the compiler wrote for the programs, and the libraries that they always load, into a few files in `dist/bundle`: to
// find and load fifteen hundred modules takes half of a start. Runs in the folder of the installation.
const build = await rolldown({
  input: ENTRIES,
  platform: 'node',
  external: APART,
  // Libraries name others that are optional, and handle that they are not there.
  logLevel: 'silent',
});
await build.write({
  dir: 'dist/bundle',
  format: 'esm',
  // Read only where somebody asks Node for it: at each start it would take a fifth more, and 18 MB.
  sourcemap: true,
  sourcemapExcludeSources: true,
  entryFileNames: '[name].js',
  chunkFileNames: '[name].js',
  // Nest tells providers apart, and errors are told, by the names of classes.
  keepNames: true,
  cleanDir: true,
});
await build.close();
