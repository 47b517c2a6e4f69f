import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { ServerName } from '#kernel/ids';
import { Destinations } from './destinations.js';
import type { Edu } from './edu-source.js';
import { textOfEdu } from './missed-by-destination.js';

/** Sends other servers what may be lost: who types, what was read, who is there. What must not be lost is an `EduSource`. */
@Injectable()
export class Outbox {
  constructor(
    private readonly destinations: Destinations,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /**
   * Sends an EDU to a server, or the same to some, with what else goes there; not to us, and to none that cannot be reached. `replaces`: it
   * takes the place of what waits with the same key, for what is told by it is over.
   */
  sendEdu(to: ServerName | Iterable<ServerName>, edu: Edu, { replaces }: { readonly replaces?: string } = {}): void {
    const servers = typeof to === 'string' ? [to as ServerName] : to;
    let text: string | undefined;
    for (const server of servers) {
      if (server === this.config.serverName) continue;
      text ??= textOfEdu(edu);
      this.destinations.sendLosable(server, text, replaces);
    }
  }
}
