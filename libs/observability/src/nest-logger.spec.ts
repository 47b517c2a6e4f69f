import { Writable } from 'node:stream';
import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { NestLogger } from './nest-logger.js';

let lines: Record<string, unknown>[];
let logger: NestLogger;

beforeEach(() => {
  lines = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
      done();
    },
  });
  logger = new NestLogger(pino({ level: 'info' }, sink));
});

describe('what Nest logs', () => {
  it('keeps its text, context and level', () => {
    logger.warn('careful', 'Somewhere');
    expect(lines).toMatchObject([{ level: 40, msg: 'careful', context: 'Somewhere' }]);
  });

  it('may be an object, which becomes fields', () => {
    logger.error({ requestId: 'r1', err: new Error('broken') }, 'internal error', 'errors');
    expect(lines[0]).toMatchObject({
      level: 50,
      msg: 'internal error',
      requestId: 'r1',
      context: 'errors',
      err: { message: 'broken', stack: expect.stringContaining('nest-logger.spec') },
    });
  });

  it('may come with a stack', () => {
    logger.error('broken', 'Error: broken\n  at x', 'Context');
    expect(lines[0]).toMatchObject({ msg: 'broken', detail: 'Error: broken\n  at x', context: 'Context' });
  });

  it('is quiet about the wiring', () => {
    logger.log('Mapped {/x, GET} route', 'RouterExplorer');
    expect(lines).toEqual([]);
  });
});
