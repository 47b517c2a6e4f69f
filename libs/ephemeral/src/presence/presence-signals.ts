import { Inject, Injectable } from '@nestjs/common';
import { findAccountData } from '#accounts/queries/account-data';
import { ONE_TO_ONE_INVITES } from '#accounts/queries/invite-rules';
import type { UserId } from '#kernel/ids';
import { isJsonObject, type JsonValue } from '#kernel/json';
import { VIEWS, type Views } from '#projections/views';
import type { InviteSignal, InviteSignals } from '#rooms/invite-signals';
import { PRESENCE_LISTS } from '../projections/presence-lists.projector.js';
import { PRESENCE } from '../projections/presence.projector.js';

/**
 * Presence as a signal: "homeservers can also use the user's choice of presence state as a signal for how to handle new private one-to-one chat
 * message requests" (2015, "Presence"). What counts is the state that was chosen for all devices (`online` where none was), which is in the
 * log. The text's own example is `{ "free_for_chat": "everybody", "online": "list", "busy": { "groups": ["important people"] } }`; `nobody`
 * is another. A state that is not named accepts everybody. Who is not accepted is refused, or with `"otherwise": "hold"` not shown until they are.
 */
@Injectable()
export class PresenceSignals implements InviteSignals {
  constructor(@Inject(VIEWS) private readonly views: Views) {}

  async decide(userId: UserId, sender: UserId): Promise<InviteSignal> {
    const data = await findAccountData(this.views, userId, undefined, ONE_TO_ONE_INVITES);
    if (data === undefined) return 'accept';
    const content = JSON.parse(data.content) as JsonValue;
    if (!isJsonObject(content)) return 'accept';
    const chosen = (await PRESENCE.get(this.views, [userId]))?.choice ?? 'online';
    const accepted = Object.hasOwn(content, chosen) ? content[chosen] : undefined;
    if (await this.#isAccepted(userId, sender, accepted)) return 'accept';
    return content['otherwise'] === 'hold' ? 'hold' : 'refuse';
  }

  async #isAccepted(userId: UserId, sender: UserId, accepted: JsonValue | undefined): Promise<boolean> {
    if (accepted === 'nobody') return false;
    const groups = isJsonObject(accepted) ? accepted['groups'] : undefined;
    if (accepted !== 'list' && !Array.isArray(groups)) return true;
    const row = await PRESENCE_LISTS.get(this.views, [userId, sender]);
    if (row?.listed === undefined) return false;
    return !Array.isArray(groups) || row.groups?.some((group) => groups.includes(group)) === true;
  }
}
