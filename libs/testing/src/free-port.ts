import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below those that systems give to connections, and to who asks for any port (Linux: from 32,768 on; others: from 49,152). */
const [FIRST, BEHIND_LAST] = [10_000, 32_000];

/**
 * A port of 127.0.0.1 that nobody listens on, for who is told of it before they listen on it. Were it one that the system gives to
 * connections, one of the thousands that tests make would have it now and then by the time.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, BEHIND_LAST);
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
}
