import { join } from 'node:path';
import type { TestAuthority } from '#testing/test-authority';
import { Homeserver } from '../homeserver.js';
import { Line } from './line.js';
import { type Federating, writeTls } from './other-server.js';

/** A server of ours that others reach at `localhost`, or by its address. */
export class FederatingAnnals extends Homeserver implements Federating {
  readonly name: string;

  private constructor(
    readonly line: Line,
    host: string,
    env: Readonly<Record<string, string>>,
  ) {
    const name = `${host}:${line.port}`;
    super({ env: { ANNALS_SERVER_NAME: name, ...env } });
    this.name = name;
  }

  static async begin(
    authority: TestAuthority,
    env: Readonly<Record<string, string>> = {},
    host: 'localhost' | '127.0.0.1' = 'localhost',
  ): Promise<FederatingAnnals> {
    const line = await Line.open();
    // Relative paths are of its folder.
    const server = new FederatingAnnals(line, host, {
      ANNALS_FEDERATION_LISTEN: `127.0.0.1:${line.behind}`,
      ANNALS_FEDERATION_ALLOW_PRIVATE: 'true',
      ANNALS_TLS_CERT: 'tls/tls.crt',
      ANNALS_TLS_KEY: 'tls/tls.key',
      ANNALS_TLS_CA: 'tls/authority.crt',
      ...env,
    });
    writeTls(join(server.directory, 'tls'), authority);
    await server.start();
    return server;
  }

  override async remove(): Promise<void> {
    await super.remove();
    await this.line.end();
  }
}
