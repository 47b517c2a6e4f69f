import { Inject, Injectable } from '@nestjs/common';
import { AccessLists } from '#accounts/reading/access-lists';
import type { Threepid } from '#accounts/threepids/threepid';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { VIEWS, type Views } from '#projections/views';
import { signJson } from '#protocol/signing/sign-json';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import { holdsAt } from '../decide/association.js';
import { Pepper } from './pepper.js';
import {
  type AssociationRow,
  ASSOCIATIONS,
  EVERYBODY,
  IDENTITY_PEOPLE,
  saidOfAssociation,
} from '../projections/identity.projector.js';

/** Nobody: what stands for who is not found, so that as much is looked up for them. */
const NOBODY = '' as UserId;

/** What is looked up: hashes, and the pepper that they were made with. */
export interface HashedLookup {
  readonly hashes: readonly string[];
  readonly pepper: string;
}

/**
 * Whose identifiers are, as far as those whose they are let who asks find them (2014, "discovery of users"): everybody, unless they say otherwise. Whoever lets
 * themselves not be found is answered for as who is not known, and as much is looked up for who is known and who is not.
 */
@Injectable()
export class FindableAssociations {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    @Inject(SIGNING_KEY) private readonly key: SigningKey,
    private readonly lists: AccessLists,
    private readonly pepper: Pepper,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Those that are found, by their hashes. Throws as `Pepper.lookUp`. */
  async lookUp({ hashes, pepper }: HashedLookup, by: UserId): Promise<(readonly [hash: string, UserId])[]> {
    const owners = await this.pepper.lookUp(pepper, hashes);
    const mayFind = await this.#mayFind(owners, by);
    return hashes.flatMap((hash, i) => {
      const owner = owners[i];
      return owner !== undefined && mayFind[i] === true ? [[hash, owner] as const] : [];
    });
  }

  /** Signed associations of identifiers, in their order, as nobody known asks; undefined where there is none to be found. */
  async findPlain(threepids: readonly Threepid[]): Promise<(JsonObject | undefined)[]> {
    const rows = await this.#rowsOf(threepids);
    const mayFind = await this.#mayFind(
      rows.map((row) => row?.mxid),
      undefined,
    );
    return rows.map((row, i) => {
      if (row === undefined || mayFind[i] !== true) return undefined;
      return signJson(saidOfAssociation(threepids[i]!, row), this.config.serverName, this.key);
    });
  }

  /** Whose an identifier is, for who asks: undefined where that is nobody known. */
  async find(threepid: Threepid, by: UserId | undefined): Promise<UserId | undefined> {
    const [row] = await this.#rowsOf([threepid]);
    const [mayFind] = await this.#mayFind([row?.mxid], by);
    return mayFind === true ? row?.mxid : undefined;
  }

  /** Whether somebody lets who asks find them. */
  async mayFind(owner: UserId, by: UserId): Promise<boolean> {
    return (await this.#mayFind([owner], by))[0] === true;
  }

  /** What users published of themselves, each signed by this server: their user ID, and their master key where they said one. */
  async keysOf(users: readonly UserId[]): Promise<JsonObject[]> {
    const people = await IDENTITY_PEOPLE.getMany(
      this.views,
      users.map((userId) => [userId] as const),
    );
    return users.map((mxid, i) => {
      const masterKey = people[i]?.master_key;
      const told = { mxid, ...(masterKey === undefined ? {} : { master_key: { ...masterKey } }) };
      return signJson(told, this.config.serverName, this.key);
    });
  }

  /** Whose identifiers are, in their order: undefined where that is not good yet, or no more. */
  async #rowsOf(threepids: readonly Threepid[]): Promise<(AssociationRow | undefined)[]> {
    const keys = threepids.map(({ medium, address }) => [medium, address] as const);
    const rows = await ASSOCIATIONS.getMany(this.views, keys);
    const now = this.clock.now();
    return rows.map((row) => (row !== undefined && holdsAt(row, now) ? row : undefined));
  }

  /** Whether each of some lets itself be found; of those who are nobody as much is asked. */
  async #mayFind(owners: readonly (UserId | undefined)[], by: UserId | undefined): Promise<boolean[]> {
    const people = await IDENTITY_PEOPLE.getMany(
      this.views,
      owners.map((owner) => [owner ?? NOBODY] as const),
    );
    // Nobody is to see by the time of an answer that somebody is there whom only their contacts may find.
    const listsOf = people.map((person) => [
      person?.readers ?? EVERYBODY,
      ...Object.values(person?.readers_elsewhere ?? {}),
    ]);
    const areContactsAsked = listsOf.some((lists) => lists.some((readers) => readers.includes('contacts')));
    if (!areContactsAsked) await this.lists.read(NOBODY, by).isOn(['contacts']);
    const may: boolean[] = [];
    for (const [i, owner] of owners.entries()) {
      const access = this.lists.read(owner ?? NOBODY, by);
      let isLet = true;
      for (const readers of listsOf[i]!) isLet &&= await access.isOn(readers);
      may.push(isLet);
    }
    return may;
  }
}
