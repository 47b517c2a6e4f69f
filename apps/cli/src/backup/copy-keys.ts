import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Copies the signing keys of a server into a folder. Answers their names. */
export function copyKeys(from: string, to: string): string[] {
  mkdirSync(to, { recursive: true, mode: 0o700 });
  const names = existsSync(from) ? readdirSync(from).filter((name) => name.endsWith('.key')) : [];
  for (const name of names) copyFileSync(join(from, name), join(to, name));
  return names;
}
