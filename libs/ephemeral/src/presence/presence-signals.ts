import { Inject, Injectable } from '@nestjs/common';
import { findAccountData } from '#accounts/queries/account-data';
import type { UserId } from '#kernel/ids';
import { isJsonObject, type JsonValue } from '#kernel/json';
import { VIEWS, type Views } from '#projections/views';
import type { InviteSignals } from '#rooms/invite-signals';
import { PRESENCE_LISTS } from '../projections/presence-lists.projector.js';
import { PRESENCE } from '../projections/presence.projector.js';

/** The account data that says who may ask somebody into a one-to-one chat, by the state of presence that they chose. */
const SIGNALS = 'dev.annals.one_to_one_invites';

/**
 * Presence as a signal: "homeservers can also use the user's choice of presence state as a signal for how to handle new private one-to-one chat
 * message requests" (2015, "Presence"). What counts is the state that was chosen for all devices (`online` where none was), which is in the
 * log. The text's own example is `{ "free_for_chat": "everybody", "online": "list", "busy": { "groups": ["important people"] } }`; `nobody`
 * is another. A state that is not named accepts everybody.
 */
@Injectable()
export class PresenceSignals implements InviteSignals {
  constructor(@Inject(VIEWS) private readonly views: Views) {}

  async refuses(userId: UserId, sender: UserId): Promise<boolean> {
    const data = await findAccountData(this.views, userId, undefined, SIGNALS);
    if (data === undefined) return false;
    const content = JSON.parse(data.content) as JsonValue;
    const chosen = (await PRESENCE.get(this.views, [userId]))?.choice ?? 'online';
    const accepted = isJsonObject(content) && Object.hasOwn(content, chosen) ? content[chosen] : undefined;
    if (accepted === 'nobody') return true;
    const groups = isJsonObject(accepted) ? accepted['groups'] : undefined;
    if (accepted !== 'list' && !Array.isArray(groups)) return false;
    const row = await PRESENCE_LISTS.get(this.views, [userId, sender]);
    if (row?.listed === undefined) return true;
    return Array.isArray(groups) && row.groups?.some((group) => groups.includes(group)) !== true;
  }
}
