import { describe, expect, it } from 'vitest';
import { type WaitOptions, waitForServer } from '#kernel/wait-for-server';
import { EventStoreMisconfigured } from '../event-store-errors.js';
import { parseServerAddress } from './server-address.js';
import { judgeSilence } from './judge-silence.js';

const address = parseServerAddress('kurrentdb://user:secret@no-such-host.invalid:2113?tls=false');

/** A server that does not answer so many times. */
function lateBy(tries: number): () => Promise<void> {
  return async () => {
    if (tries-- > 0) throw Object.assign(new Error('no connection'), { type: 'unavailable' });
  };
}

const waitFor = (probe: () => Promise<void>, options: WaitOptions): Promise<void> =>
  waitForServer(probe, (error) => judgeSilence(address, error), options);

describe('a server whose host is unknown', () => {
  it('is said to be so at once and waited for, as its name may come with its container', async () => {
    const said: string[] = [];
    await waitFor(lateBy(2), { waitMs: Infinity, onWaiting: (reason) => said.push(reason) });
    expect(said).toEqual([
      expect.stringMatching(/no-such-host\.invalid:2113.* the host no-such-host\.invalid is unknown$/),
    ]);
    expect(said[0]).not.toContain('secret');
  });

  it('is an error at once where nobody hears that it is waited for', async () => {
    const waiting = waitFor(lateBy(2), { waitMs: Infinity });
    await expect(waiting).rejects.toThrow(EventStoreMisconfigured);
  });
});
