import { describe, expect, it } from 'vitest';
import { AppendTooLarge, EventStoreUnavailable, LogDamaged } from '#event-store/event-store-errors';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { errorResponse } from './error-response.js';

describe('what is answered for an error', () => {
  it('is 503 with a time to come back where the log is away, and no bug to log for each request', () => {
    const { status, body, isBug } = errorResponse(new EventStoreUnavailable('a node is dead'), 'r1');
    expect([status, isBug]).toEqual([503, false]);
    expect(body).toMatchObject({ errcode: 'M_UNKNOWN', retry_after_ms: expect.any(Number) });
    expect(JSON.stringify(body)).not.toContain('node');
  });

  it('is 503 with a time to come back where the views are away, too', () => {
    const { status, body, isBug } = errorResponse(new ViewsUnavailable('connect ECONNREFUSED 10.0.0.7'), 'r1');
    expect([status, isBug]).toEqual([503, false]);
    expect(body).toMatchObject({ errcode: 'M_UNKNOWN', retry_after_ms: expect.any(Number) });
    expect(JSON.stringify(body)).not.toContain('10.0.0.7');
  });

  it('is 503 where the log is damaged, told once by whoever holds it and not for each request', () => {
    const { status, body, isBug } = errorResponse(new LogDamaged('position 7 cannot be read'), 'r1');
    expect([status, body, isBug]).toMatchObject([503, { errcode: 'M_UNKNOWN' }, false]);
    expect(JSON.stringify(body)).not.toContain('position');
  });

  it('is 413 where the log does not take as much at once', () => {
    const { status, body, isBug } = errorResponse(new AppendTooLarge('too much', 1000), 'r1');
    expect([status, body, isBug]).toMatchObject([413, { errcode: 'M_TOO_LARGE' }, false]);
  });

  it('is what another server refused, with codes of any namespace, as far as it is not long', () => {
    const body = { errcode: 'ORG.EXAMPLE.NO', error: 'no', why: [1] };
    expect(errorResponse(new PeerRefused(403, body), 'r1')).toEqual({ status: 403, body, isBug: false });
    const long = errorResponse(new PeerRefused(403, { ...body, why: 'x'.repeat(5000) }), 'r1');
    expect(long.body).toEqual({ errcode: 'ORG.EXAMPLE.NO', error: 'no' });
  });

  it('is nothing that a client would take for its own session, where another server refuses ours', () => {
    const refusals = [
      [401, 'M_FORBIDDEN'],
      [403, 'M_UNKNOWN_TOKEN'],
      [400, 'M_MISSING_TOKEN'],
      [500, 'M_UNKNOWN'],
    ] as const;
    for (const [status, errcode] of refusals) {
      const body = { errcode, error: 'no', soft_logout: true };
      expect(errorResponse(new PeerRefused(status, body), 'r1')).toEqual({
        status: 502,
        body: { errcode: 'M_UNKNOWN', error: 'The other server refused: no' },
        isBug: false,
      });
    }
    expect(errorResponse(new PeerUnavailable('10.0.0.7 is away'), 'r1')).toMatchObject({ status: 502, isBug: false });
  });

  it('is 500 and a bug for what nobody expected', () => {
    expect(errorResponse(new TypeError('ours'), 'r1')).toMatchObject({ status: 500, isBug: true });
  });
});
