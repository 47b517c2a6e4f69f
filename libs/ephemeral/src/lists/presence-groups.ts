import { Inject, Injectable } from '@nestjs/common';
import type { GroupsOf } from '#accounts/groups-of';
import type { UserId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { PRESENCE_LISTS } from '../projections/presence-lists.projector.js';

/** The groups of presence lists: "presence lists should support the ability to collect users into groups" (2015, "Presence List"). */
@Injectable()
export class PresenceGroups implements GroupsOf {
  constructor(@Inject(VIEWS) private readonly views: Views) {}

  async listMembers(owner: UserId, group: string): Promise<readonly UserId[]> {
    const members: UserId[] = [];
    for await (const page of PRESENCE_LISTS.pages(this.views, { prefix: [owner] })) {
      for (const { key, value } of page) if (value.groups?.includes(group) === true) members.push(key[1]);
    }
    return members;
  }

  async list(owner: UserId, member: UserId): Promise<readonly string[]> {
    return (await PRESENCE_LISTS.get(this.views, [owner, member]))?.groups ?? [];
  }
}
