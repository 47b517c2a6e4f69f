import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A message as the gateway was asked to bring it. */
export interface PostedText {
  readonly to: string;
  readonly text: string;
  readonly authorization: string | undefined;
}

/** A gateway on loopback that takes messages to phones, unless told otherwise. */
export interface TextGateway {
  readonly url: string;
  readonly received: readonly PostedText[];
  /** What it answers; 200 unless told. */
  status: number;
  /** The message that is `number`th to a phone, counted from 1, once it is there. `to`: with its plus. */
  waitFor(to: string, number?: number): Promise<PostedText>;
  /** The code in that message. */
  codeFor(to: string, number?: number): Promise<string>;
  close(): Promise<void>;
}

export async function startTextGateway(): Promise<TextGateway> {
  const received: PostedText[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const { to, text } = JSON.parse(Buffer.concat(pieces).toString('utf8')) as Record<string, string>;
      if (gateway.status === 200) {
        received.push({ to: to ?? '', text: text ?? '', authorization: request.headers.authorization });
      }
      response.writeHead(gateway.status, { location: '/elsewhere' }).end(`said of ${to}`);
      for (const look of waiting) look();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const gateway: TextGateway = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/send`,
    received,
    status: 200,
    waitFor: (to, number = 1) =>
      new Promise((resolve) => {
        const look = (): void => {
          const text = received.filter((one) => one.to === to)[number - 1];
          if (text === undefined) return;
          waiting.delete(look);
          resolve(text);
        };
        waiting.add(look);
        look();
      }),
    async codeFor(to, number = 1) {
      return /\b(\d{8})\b/.exec((await gateway.waitFor(to, number)).text)?.[1] ?? '';
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return gateway;
}
