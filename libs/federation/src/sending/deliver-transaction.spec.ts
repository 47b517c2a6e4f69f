import { expect, it, vi } from 'vitest';
import type { ServerName } from '#kernel/ids';
import type { Logger } from '#observability/logger';
import { TransactionDelivery } from './deliver-transaction.js';

const silent = { debug() {}, info() {}, warn() {}, error() {} } as unknown as Logger;
const TRANSACTION = { id: 't', content: '{"pdus":[]}', pdus: 0, edus: 0 };

it('A server that is not known yet waits for none of those that are tried again', async () => {
  const asked = new Set<ServerName>();
  const peers = { ask: (server: ServerName) => (asked.add(server), new Promise<never>(() => {})) };
  const delivery = new TransactionDelivery(peers, silent);
  const deliver = (server: string, isProbe: boolean): void => {
    const terms = { isProven: false, isProbe, onFailure: () => {} };
    void delivery.deliver(server as ServerName, TRANSACTION, terms, new AbortController().signal);
  };
  for (let i = 0; i < 500; i++) deliver(`${i}.example`, true);
  deliver('b.example', false);
  await vi.waitFor(() => expect(asked).toContain('b.example'));
  expect(asked.size).toBeLessThan(500);
});
