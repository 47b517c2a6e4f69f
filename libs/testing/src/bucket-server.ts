import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What it needs of the S3 server, which has no types. */
type S3rver = new (options: object) => {
  callback(): (request: IncomingMessage, response: ServerResponse) => void;
  configureBuckets(): Promise<unknown>;
};

const BUCKET = 'media';

/** An S3 server that listens in this process, with one bucket. */
export class BucketServer {
  /** What it takes for the owner of the bucket. */
  readonly keyId = 'S3RVER';
  readonly secret = 'S3RVER';
  readonly region = 'us-east-1';
  /** What came: method, path and query. */
  readonly calls: string[] = [];
  /** Asked first: where it answers true the request is answered by it, or never. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean = () => false;

  private constructor(
    private readonly folder: string,
    private readonly http: Server,
    readonly url: string,
  ) {}

  static async start(): Promise<BucketServer> {
    const folder = mkdtempSync(join(tmpdir(), 'annals-bucket-'));
    const S3rver = createRequire(import.meta.url)('s3rver') as S3rver;
    const s3 = new S3rver({ directory: folder, silent: true, configureBuckets: [{ name: BUCKET }] });
    await s3.configureBuckets();
    const answer = s3.callback();
    const http = createServer((request, response) => {
      server.calls.push(`${request.method} ${request.url}`);
      if (!server.intercept(request, response)) answer(request, response);
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    const server = new BucketServer(folder, http, `http://127.0.0.1:${(http.address() as AddressInfo).port}/${BUCKET}`);
    return server;
  }

  /** The keys of all objects. */
  keys(): string[] {
    const entries = readdirSync(join(this.folder, BUCKET), { recursive: true, withFileTypes: true });
    const suffix = '._S3rver_object';
    return entries
      .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
      .map((entry) => join(entry.parentPath, entry.name).slice(join(this.folder, BUCKET).length + 1, -suffix.length))
      .toSorted();
  }

  /** Takes all objects away. */
  clear(): void {
    rmSync(join(this.folder, BUCKET), { recursive: true });
    mkdirSync(join(this.folder, BUCKET));
  }

  async stop(): Promise<void> {
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
    if (existsSync(this.folder)) rmSync(this.folder, { recursive: true });
  }
}
