import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TestAuthority } from './test-authority.js';

/** What a gateway was sent: push gateway API, `POST /_matrix/push/v1/notify`. */
export interface Notification {
  readonly event_id?: string;
  readonly room_id?: string;
  readonly type?: string;
  readonly counts?: { readonly unread?: number };
  readonly devices: readonly {
    readonly app_id: string;
    readonly pushkey: string;
    readonly tweaks?: object;
    readonly data?: object;
  }[];
  readonly [key: string]: unknown;
}

/** How a gateway answers: a status, and the body where it is 200. */
export interface GatewayReply {
  readonly status?: number;
  readonly body?: object;
  /** It is not answered before that settles. */
  readonly after?: Promise<unknown>;
}

/** Who vouches for the gateways of a process. */
export const GATEWAY_AUTHORITY = new TestAuthority();

/** A push gateway: an HTTPS server that keeps what it was told. */
export class PushGateway {
  readonly told: Notification[] = [];
  /** How it answers; by default it takes everything. */
  answer: (notification: Notification) => GatewayReply = () => ({});
  readonly #server: Server;
  #port = 0;

  private constructor() {
    const { certificate: cert, key } = GATEWAY_AUTHORITY.issue();
    this.#server = createServer({ cert, key }, (request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        const { notification } = JSON.parse(text) as { notification: Notification };
        const { status = 200, body = { rejected: [] }, after } = this.answer(notification);
        if (request.url !== '/_matrix/push/v1/notify' || request.method !== 'POST') response.writeHead(404).end();
        else {
          if (status === 200) this.told.push(notification);
          void Promise.resolve(after).then(() =>
            response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
          );
        }
      });
    });
  }

  /** Starts one, on a port of its own unless told which. */
  static async start(port = 0): Promise<PushGateway> {
    const gateway = new PushGateway();
    gateway.#server.listen(port, '127.0.0.1');
    await once(gateway.#server, 'listening');
    gateway.#port = (gateway.#server.address() as AddressInfo).port; // it listens on a port
    return gateway;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}/_matrix/push/v1/notify`;
  }

  /** What it was told of events, in order. */
  get events(): (string | undefined)[] {
    return this.told.flatMap(({ event_id: id }) => (id === undefined ? [] : [id]));
  }

  /** The number that it was told last. */
  get unread(): number | undefined {
    return this.told.at(-1)?.counts?.unread;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** The body of `POST /pushers/set` for a pusher of a gateway. */
export function pusherAt(url: string, more: object = {}): object {
  return {
    app_id: 'org.example.app',
    pushkey: 'a key',
    kind: 'http',
    app_display_name: 'App',
    device_display_name: 'A phone',
    lang: 'en',
    data: { url },
    ...more,
  };
}
