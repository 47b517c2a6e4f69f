import { Inject, Injectable } from '@nestjs/common';
import { ACCOUNTS } from '#accounts/projections/accounts.projector';
import type { ServerName, UserId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { Bindings } from './bindings.js';
import { BINDINGS } from '../projections/bindings.projector.js';

/** What became of it: all was asked for, there was nothing, or a server was away that is to be asked again. */
export type EndOfBindings = 'done' | 'nothing' | 'later';

/** Has identity servers know nobody whose account is closed, by what this server had done there. */
@Injectable()
export class EndBindings {
  constructor(
    private readonly bindings: Bindings,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /** Of one user. */
  async endOf(userId: UserId): Promise<EndOfBindings> {
    const away = new Set<ServerName>();
    const wasAny = await this.bindings.endAll(userId, away);
    if (away.size > 0) return 'later';
    return wasAny ? 'done' : 'nothing';
  }

  /** Of all. A server that is away is asked once. Answers whether some are to be asked again. */
  async endDue(isStopped: () => boolean): Promise<boolean> {
    const away = new Set<ServerName>();
    for (const userId of await this.#listClosed()) {
      if (isStopped()) break;
      // While others were asked it may have been opened again, and have what it made known since.
      if (!(await this.#isClosed(userId))) continue;
      await this.bindings.endAll(userId, away);
    }
    return away.size > 0;
  }

  async #isClosed(userId: UserId): Promise<boolean> {
    return (await ACCOUNTS.get(this.views, [userId]))?.deactivated === true;
  }

  /** Those whose accounts are closed, and who are known somewhere still. */
  async #listClosed(): Promise<Set<UserId>> {
    const closed = new Set<UserId>();
    for await (const page of BINDINGS.pages(this.views, {})) {
      const users = [...new Set(page.map(({ key: [userId] }) => userId))];
      const accounts = await ACCOUNTS.getMany(
        this.views,
        users.map((userId) => [userId] as const),
      );
      for (const [n, userId] of users.entries()) if (accounts[n]?.deactivated === true) closed.add(userId);
    }
    return closed;
  }
}
