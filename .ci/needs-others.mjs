// Prints the suites of test/ that need what `clients.sh` and `servers.sh` install: which look themselves, or by what they import of
// test/, for what the environment says of it (CLIENT_NIO, SERVER_SYNAPSE, CHROMIUM).
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ASKED = /process\.env\['(?:CLIENT_[A-Z_]+|SERVER_[A-Z_]+|CHROMIUM)'\]/;
const IMPORTED = /from '(\.[^']+)\.js'/g;

function needsOthers(file, seen = new Set()) {
  if (seen.has(file) || !existsSync(file)) return false;
  seen.add(file);
  const text = readFileSync(file, 'utf8');
  const imported = [...text.matchAll(IMPORTED)].map(([, path]) => `${join(dirname(file), path)}.ts`);
  return ASKED.test(text) || imported.some((path) => needsOthers(path, seen));
}

const suites = readdirSync('test').filter((name) => name.endsWith('.spec.ts'));
for (const name of suites) if (needsOthers(join('test', name))) console.log(`test/${name}`);
