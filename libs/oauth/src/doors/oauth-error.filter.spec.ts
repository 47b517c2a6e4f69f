import type { ArgumentsHost } from '@nestjs/common';
import { expect, it } from 'vitest';
import { MatrixError } from '#kernel/matrix-error';
import { ENDPOINTS } from '../oauth-paths.js';
import { OAuthErrorFilter } from './oauth-error.filter.js';

function answerTo(
  error: Error,
  url: string,
): { readonly status: number; readonly body: unknown; readonly wait: unknown } {
  const sent: { status: number; body: unknown; wait: unknown } = { status: 0, body: undefined, wait: undefined };
  const reply = {
    header: (name: string, value: unknown) =>
      (name === 'retry-after' ? Object.assign(sent, { wait: value }) : reply) && reply,
    status: (status: number) => Object.assign(sent, { status }) && reply,
    type: () => reply,
    send: (body: unknown) => void Object.assign(sent, { body }),
  };
  const http = { getRequest: () => ({ url }), getResponse: () => reply };
  // The filter asks for nothing else.
  new OAuthErrorFilter({ publicUrl: '' }).catch(error, { switchToHttp: () => http } as unknown as ArgumentsHost);
  return sent;
}

it('ends no session because too many ask: anything below 500 does, where tokens are renewed', () => {
  const error = new MatrixError('M_LIMIT_EXCEEDED', 'Too many requests', { fields: { retry_after_ms: 1500 } });
  const body = { error: 'temporarily_unavailable', error_description: 'Too many requests' };
  expect(answerTo(error, ENDPOINTS.token)).toEqual({ status: 503, body, wait: 2 });
  expect(answerTo(error, ENDPOINTS.register)).toEqual({ status: 429, body, wait: 2 });
});
