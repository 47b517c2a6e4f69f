import { Socket } from 'node:net';
import { MongoClient } from 'mongodb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MongoProxy } from '#testing/mongo-proxy';
import { withLease } from '#testing/with-lease';
import { ViewsUnavailable } from '../read-model-errors.js';
import type { ReadModelStore, Write } from '../read-model-store.js';
import { openMongoReadModels } from './mongodb-read-model-store.js';

const mongo = process.env['ANNALS_READ_MODELS_URL'];
const HELLO = /hello\0/i;
/** What writes rows of a collection a. */
const ROWS = /update\0[^]{4}a~/;

describe.skipIf(mongo === undefined)(
  'MongoDB read models whose connections are closed at a bad moment (where ANNALS_READ_MODELS_URL names one)',
  () => {
    const url = new URL(mongo ?? 'mongodb://127.0.0.1/');
    url.pathname = `/annals-renewed-${process.pid}`;
    let proxy: MongoProxy;

    beforeEach(async () => {
      proxy = await MongoProxy.begin(url.href);
    });

    afterEach(async () => {
      vi.restoreAllMocks();
      await proxy.end();
      const raw = await new MongoClient(url.href).connect();
      await raw.db().dropDatabase();
      await raw.close();
    });

    /** Closes connections in the moment in which something is written to them: to those that watch the server their next look, and to one other rows. */
    const closeWhileWritten = (looks: number): (() => number) => {
      const port = Number(new URL(proxy.url).port);
      const write = Socket.prototype.write;
      const greeted = new WeakSet<Socket>();
      let [looksLeft, rowsLeft] = [looks, 1];
      const isToClose = (socket: Socket, text: string): boolean => {
        if (!HELLO.test(text)) return ROWS.test(text) && rowsLeft-- > 0;
        // Others are greeted once.
        const isLook = greeted.has(socket);
        greeted.add(socket);
        return isLook && looksLeft > 0 && looksLeft-- > 0;
      };
      vi.spyOn(Socket.prototype, 'write').mockImplementation(function (this: Socket, ...args: unknown[]): boolean {
        const [bytes] = args;
        if (this.remotePort === port && bytes instanceof Uint8Array) {
          if (isToClose(this, Buffer.from(bytes).toString('latin1'))) this.destroy();
        }
        return Reflect.apply(write, this, args) as boolean;
      });
      return () => looksLeft + Math.max(rowsLeft, 0);
    };

    it('are read and written again, by who writes them and who reads alone, and lack nothing', async () => {
      const put = (value: string): Write[] => ['a', 'b'].map((collection) => ({ collection, key: ['1'], value }));
      const left = closeWhileWritten(2);
      const writer = await withLease(await openMongoReadModels(proxy.url));
      const reader = await openMongoReadModels(proxy.url, { readOnly: true });
      try {
        const writing = writer.write(put('one')).catch((error: unknown) => error);
        await expect.poll(left).toBe(0);
        proxy.goAway();
        for (const store of [writer, reader]) await expect(store.get('a', ['1'])).rejects.toThrow(ViewsUnavailable);
        proxy.comeBack();
        expect(await writing).toBeInstanceOf(ViewsUnavailable);
        const soon = { interval: 200 };
        await expect.poll(() => writer.flush().catch(String), soon).toBeUndefined();
        const read = (store: ReadModelStore): Promise<unknown> => store.get('b', ['1']).catch(String);
        for (const store of [writer, reader]) await expect.poll(() => read(store), soon).toBe('one');
        await writer.write(put('two'));
        for (const store of [writer, reader]) {
          await expect.poll(() => read(store), soon).toBe('two');
          expect(store.failure).toBeUndefined();
        }
      } finally {
        await writer.close();
        await reader.close();
      }
    }, 60_000);
  },
);
