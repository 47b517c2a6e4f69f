import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileMediaStore } from './file-media-store.js';

/* Test support: fills the disk that its argument is, with media and a file beside them, then takes the file away and goes on. Prints what it saw. */
const folder = process.argv[2]!;
const said: string[] = [];
const store = new FileMediaStore(folder, {
  onLost: () => void said.push('lost'),
  onBack: () => void said.push('back'),
});
const medium = Buffer.alloc(3 * 1024 * 1024);
const ballast = join(folder, 'ballast');
writeFileSync(ballast, Buffer.alloc(6 * 1024 * 1024));
const errors: string[] = [];
while (errors.length < 2) {
  await store.receive([medium], medium.length).catch((error: Error) => errors.push(error.constructor.name));
}
const left = readdirSync(join(folder, 'incoming'));
rmSync(ballast);
const received = await store.receive([medium], medium.length);
await received.keep();
process.stdout.write(JSON.stringify({ errors, said, left, kept: await store.sizeOf(received.hash) }));
