import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The response that is good at `startCaptchaServer`. */
export const SOLVED = 'solved';

/** A captcha service on loopback: it verifies as reCAPTCHA does, and its script is a widget that solves itself. */
export interface CaptchaServer {
  readonly verifyUrl: string;
  readonly scriptUrl: string;
  /** The forms that it was asked with. */
  readonly asked: readonly URLSearchParams[];
  close(): Promise<void>;
}

const WIDGET = `
for (const place of document.querySelectorAll('.g-recaptcha')) {
  const field = document.createElement('textarea');
  Object.assign(field, { name: 'g-recaptcha-response', value: '${SOLVED}', hidden: true });
  place.append('I am a person', field);
}
`;

export async function startCaptchaServer(): Promise<CaptchaServer> {
  const asked: URLSearchParams[] = [];
  const server = createServer((request, response) => {
    if (request.url === '/widget.js') {
      response.setHeader('content-type', 'text/javascript');
      response.end(WIDGET);
      return;
    }
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const form = new URLSearchParams(Buffer.concat(pieces).toString('utf8'));
      asked.push(form);
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ success: form.get('response') === SOLVED }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    verifyUrl: `${origin}/siteverify`,
    scriptUrl: `${origin}/widget.js`,
    asked,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
