import type { ArgumentsHost } from '@nestjs/common';
import { expect, it } from 'vitest';
import { MatrixError } from '#kernel/matrix-error';
import { ErrorPageFilter } from './error-page.filter.js';

/** What somebody is answered to whom this was thrown, where it was decided already what type the answer is of. */
function answerTo(thrown: unknown, type?: string): { status?: number; headers: Record<string, unknown>; text: string } {
  const answer: ReturnType<typeof answerTo> = { headers: type === undefined ? {} : { 'content-type': type }, text: '' };
  const reply = {
    sent: false,
    hasHeader: (name: string) => name in answer.headers,
    getHeader: (name: string) => answer.headers[name],
    header: (name: string, value: unknown) => ((answer.headers[name] = value), reply),
    removeHeader: (name: string) => (delete answer.headers[name], reply),
    status: (status: number) => ((answer.status = status), reply),
    type: (text: string) => reply.header('content-type', text),
    send: (body: unknown) => void (answer.text = typeof body === 'string' ? body : JSON.stringify(body)),
  };
  const http = { getRequest: () => ({ id: 'abc', raw: {} }), getResponse: () => reply };
  new ErrorPageFilter({ publicUrl: '' }).catch(thrown, { switchToHttp: () => http } as unknown as ArgumentsHost);
  return answer;
}

it('who looks at a page is told on one what did not go, with the status and the headers that it has', () => {
  const wait = new MatrixError('M_LIMIT_EXCEEDED', 'Too many <requests>', { fields: { retry_after_ms: 1_500 } });
  const { status, headers, text } = answerTo(wait);
  expect([status, headers['retry-after']]).toEqual([429, 2]);
  expect(headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'x-frame-options': 'DENY' });
  expect(text).toContain('<p role="alert">Too many &#60;requests&#62;</p>');
  const away = answerTo(new MatrixError('M_UNKNOWN', 'The directory is away', { status: 502 }));
  expect([away.status, away.text]).toEqual([502, expect.stringContaining('The directory is away')]);
  const none = answerTo(new MatrixError('M_UNRECOGNIZED', 'There is no such path'));
  expect([none.status, JSON.parse(none.text).errcode]).toEqual([404, 'M_UNRECOGNIZED']);
});

it('what was to be answered with JSON is refused with JSON: programs read that', () => {
  const refused = new MatrixError('M_USER_IN_USE', 'There is one already');
  const { status, headers, text } = answerTo(refused, 'application/json; charset=utf-8');
  expect([status, headers['content-type'], JSON.parse(text)]).toEqual([
    400,
    'application/json',
    { errcode: 'M_USER_IN_USE', error: 'There is one already' },
  ]);
});
