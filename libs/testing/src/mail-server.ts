import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

/** A mail as the server received it. */
export interface ReceivedMail {
  readonly to: readonly string[];
  /** With its headers, as it came over the wire. */
  readonly source: string;
  /** The part in plain text, decoded. */
  readonly text: string;
  /** The part in HTML, decoded; '' where there is none. */
  readonly html: string;
}

/** A mail server on loopback that takes everything, unless told otherwise. */
export interface MailServer {
  readonly url: string;
  readonly received: readonly ReceivedMail[];
  /** Whom nothing is taken for: there is no such mailbox. */
  readonly refused: Set<string>;
  /** For whom nothing is taken from this server, whoever they are. */
  readonly barred: Set<string>;
  /** For whom nothing is taken now. */
  readonly busy: Set<string>;
  /** Whom it does not answer for, and how often it was asked to. */
  readonly silent: Map<string, number>;
  /** The mail that is `number`th to an address, counted from 1, once it is there. */
  waitFor(address: string, number?: number): Promise<ReceivedMail>;
  close(): Promise<void>;
}

export async function startMailServer(): Promise<MailServer> {
  const received: ReceivedMail[] = [];
  const refused = new Set<string>();
  const barred = new Set<string>();
  const busy = new Set<string>();
  const silent = new Map<string, number>();
  const waiting = new Set<() => void>();
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onRcptTo({ address }, _session, done) {
      const asked = silent.get(address);
      if (asked !== undefined) return void silent.set(address, asked + 1);
      const isBusy = Object.assign(new Error('the box is in use'), { responseCode: 450 });
      const isBarred = Object.assign(new Error(`5.7.1 <${address}>: Relay access denied`), { responseCode: 554 });
      if (busy.has(address)) done(isBusy);
      else if (barred.has(address)) done(isBarred);
      else done(refused.has(address) ? new Error(`5.1.1 nobody called ${address} here`) : null);
    },
    onData(stream, session, done) {
      const pieces: Buffer[] = [];
      stream.on('data', (piece: Buffer) => pieces.push(piece));
      stream.on('end', () => {
        const source = Buffer.concat(pieces).toString('utf8');
        const to = session.envelope.rcptTo.map(({ address }) => address);
        received.push({ to, source, text: partOf(source, 'text/plain'), html: partOf(source, 'text/html') });
        done();
        for (const look of waiting) look();
      });
    },
  });
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  // Who is killed in the midst of a mail leaves a connection that is reset as it is read from or written to, and hands it over once more.
  server.on('error', (error) => {
    if (!('code' in error) || !['ECONNRESET', 'EPIPE'].includes(String(error.code))) throw error;
  });
  const { port } = server.server.address() as AddressInfo; // Not a socket in the file system.
  return {
    url: `smtp://127.0.0.1:${port}`,
    received,
    refused,
    barred,
    busy,
    silent,
    waitFor: (address, number = 1) =>
      new Promise((resolve) => {
        const look = (): void => {
          const mail = received.filter(({ to }) => to.includes(address))[number - 1];
          if (mail === undefined) return;
          waiting.delete(look);
          resolve(mail);
        };
        waiting.add(look);
        look();
      }),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** A part of a mail by its type, decoded from quoted-printable or base64. */
function partOf(source: string, type: string): string {
  const boundary = /boundary="([^"]+)"/.exec(source)?.[1];
  const parts = boundary === undefined ? [source] : source.split(`--${boundary}`);
  const part = parts.findLast((one) => one.includes(`Content-Type: ${type}`)) ?? '';
  const [head = '', ...body] = part.split('\r\n\r\n');
  const text = body.join('\r\n\r\n').replace(/\r\n$/, '');
  if (/encoding: base64/i.test(head)) return Buffer.from(text, 'base64').toString('utf8');
  if (!/encoding: quoted-printable/i.test(head)) return text;
  const bytes = text
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
