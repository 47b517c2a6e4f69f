import { Inject, Injectable, Logger } from '@nestjs/common';
import { BY_SERVER } from '#accounts/accounts';
import { ACCOUNT_DATA } from '#accounts/projections/account-data-row';
import { LIMITED_FIELDS, PROFILES } from '#accounts/projections/profiles.projector';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { ServerName, UserId } from '#kernel/ids';
import { awaitShown } from '#projections/await-shown';
import { ByTheClock } from '#projections/by-the-clock';
import type { Listener } from '#projections/listener';
import { HELD_CLOCK, type HeldClock } from '#projections/held-clock';
import { AT_LATEST_MS } from '#projections/regular-looks';
import { VIEWS, type Views } from '#projections/views';
import { decideFree, decideKeep, decideUnshown } from './decide/media.js';
import { KeptContent } from './kept-content.js';
import { mediaIn } from './media-in-text.js';
import { type MediaRef, mxcOf } from './media-id.js';
import { MediaLog } from './media-log.js';
import { MEDIA, type MediaRow, UNSHOWN_MEDIA } from './projections/media.projector.js';
import { QUARANTINED } from './projections/quarantine.projector.js';
import { SHOWN_MEDIA } from './projections/shown-media.js';

/** What says whether a medium may go. */
const ASKED = [MEDIA, QUARANTINED, SHOWN_MEDIA, PROFILES, ACCOUNT_DATA];

/**
 * Uploads that go because an event of whoever brought them was redacted: where this server is set to do so, a while after that, and
 * if nothing that it can read shows them then. Of encrypted events it can read nothing: media that are shown by such an event never go
 * with it, and go with another even so.
 */
@Injectable()
export class UnshownMedia extends ByTheClock implements Listener {
  readonly name = 'unshown-media';
  readonly reads = [UNSHOWN_MEDIA.name];
  readonly #log = new Logger('media');

  constructor(
    private readonly log: MediaLog,
    private readonly kept: KeptContent,
    @Inject(EVENT_STORE) private readonly events: Pick<EventStore, 'head'>,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(HELD_CLOCK) private readonly clock: HeldClock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'media' | 'serverName'>,
  ) {
    super();
  }

  protected beginToLook(): void {
    if (this.#isOn) this.looks.begin(this.views, this.reads, this.events);
  }

  hear(facts: readonly RecordedFact[]): void {
    if (this.#isOn && facts.some(({ type }) => type === 'media-unshown')) this.looks.soon();
  }

  /** An event of this sender was redacted: notes what it showed that they have uploaded here. `text`: what it was, as JSON. */
  async note(text: string, sender: string): Promise<boolean> {
    if (!this.#isOn) return false;
    let isNoted = false;
    for (const media of mediaIn(text)) {
      if (media.server !== this.config.serverName) continue;
      if (await this.log.change(media, (state) => decideUnshown(state, sender), BY_SERVER)) isNoted = true;
    }
    return isNoted;
  }

  get #isOn(): boolean {
    return this.config.media.freeRedactedMs !== undefined;
  }

  protected async doDue(): Promise<number> {
    const { freeRedactedMs } = this.config.media;
    return freeRedactedMs === undefined ? AT_LATEST_MS : this.#freeDue((await this.clock.now()) - freeRedactedMs);
  }

  protected lookFailed(error: unknown): void {
    this.#log.warn({ err: error }, 'media whose events were redacted were not looked for');
  }

  /** Frees what was to go before a moment and what nothing shows any more, and answers how much later the next was. */
  async #freeDue(before: number): Promise<number> {
    for await (const page of UNSHOWN_MEDIA.pages(this.views, {})) {
      for (const { key } of page) {
        const [since, server, mediaId] = key;
        if (this.looks.isStopped) return AT_LATEST_MS;
        if (Number(since) > before) return Number(since) - before;
        const media = { server, mediaId };
        const decide = (await this.#mayGo(media)) ? decideFree : decideKeep;
        await this.log.change(media, decide, BY_SERVER);
      }
    }
    return AT_LATEST_MS;
  }

  /** By all that the log has now: what is gone is never there again. Throws ViewsUnavailable where the views do not show that. */
  async #mayGo(media: MediaRef): Promise<boolean> {
    const head = await this.events.head();
    for (const { name } of ASKED) await awaitShown(this.views, name, head, 'what shows the medium');
    const { server, mediaId } = media;
    const row = await MEDIA.get(this.views, [server, mediaId]);
    if (row?.sha256 === undefined || (await this.kept.isQuarantined(row.sha256))) return false;
    if (await this.#isShown(media, row)) return false;
    await this.views.confirm();
    return true;
  }

  /** Whether an event that can be read names it, or who uploaded it does in their profile or their account data. */
  async #isShown(media: MediaRef, { by }: MediaRow): Promise<boolean> {
    const key: readonly [ServerName, MediaRef['mediaId']] = [media.server, media.mediaId];
    if ((await SHOWN_MEDIA.scan(this.views, { prefix: key, limit: 1 })).length > 0) return true;
    return by !== undefined && this.#isNamedBy(by, mxcOf(media));
  }

  async #isNamedBy(userId: UserId, uri: string): Promise<boolean> {
    if ((await PROFILES.get(this.views, [userId]))?.includes(uri) === true) return true;
    if (JSON.stringify((await LIMITED_FIELDS.get(this.views, [userId])) ?? []).includes(uri)) return true;
    for await (const page of ACCOUNT_DATA.pages(this.views, { prefix: [userId] })) {
      if (page.some(({ value }) => value.content.includes(uri))) return true;
    }
    return false;
  }
}
