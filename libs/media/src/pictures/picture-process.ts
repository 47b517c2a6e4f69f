import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import type { SentJob } from './picture-job.js';
import { readPicture } from './read-picture.js';

/*
 * The process that reads pictures, one after another: it is told what to do with the next one, which then comes on its standard input, and
 * answers. It ends with who started it.
 */

const MB = 1024 * 1024;
/** More than any picture takes that may be read. */
const MOST_MEMORY = 768 * MB;
const LOOK_MS = 25;
/** Who waits for a message goes before who waits for a picture. */
const PRIORITY = 10;

try {
  setPriority(PRIORITY);
  // Where memory runs out it is this process that has to end.
  writeFileSync('/proc/self/oom_score_adj', '1000');
} catch {
  // Not everywhere, and it is as good without.
}

/** At once: to exit would wait for what is being decoded. */
const end = (): void => void process.kill(process.pid, 'SIGKILL');

process.on('disconnect', end);
process.on('message', (job: SentJob) => void work(job));

async function work(job: SentJob): Promise<void> {
  const content = await takeContent(job.bytes);
  const watch = setInterval(() => {
    if (process.memoryUsage.rss() > MOST_MEMORY) end();
  }, LOOK_MS);
  try {
    process.send!(await readPicture(content, job));
  } finally {
    clearInterval(watch);
  }
}

/** The next bytes of the standard input. */
async function takeContent(bytes: number): Promise<Buffer> {
  const content = Buffer.allocUnsafe(bytes);
  for (let at = 0; at < bytes;) {
    const piece = process.stdin.read() as Buffer | null;
    if (piece === null) await new Promise((resolve) => process.stdin.once('readable', resolve));
    else at += piece.copy(content, at);
  }
  return content;
}
