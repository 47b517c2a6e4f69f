import * as undici from 'undici';
import { expect, it } from 'vitest';
import { loadUndici } from './load-undici.js';

it('the parts of undici that are loaded are those that all of it consists of', async () => {
  const { Agent, Pool, buildConnector, request } = await loadUndici();
  expect(Agent).toBe(undici.Agent);
  expect(Pool).toBe(undici.Pool);
  expect(buildConnector).toBe(undici.buildConnector);
  expect(request).toBe(undici.Dispatcher.prototype.request);
});
