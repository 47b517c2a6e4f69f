import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Threepid } from '#accounts/threepids/threepid';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { KeyedNames } from '#event-store/keyed-names';
import { CLOCK, type Clock } from '#kernel/clock';
import type { RoomId, UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { HELD_CLOCK, type HeldClock } from '#projections/held-clock';
import type { RegularLooks } from '#projections/regular-looks';
import { VIEWS, type Views } from '#projections/views';
import { decodeBase64, encodeBase64 } from '#protocol/signing/base64';
import { createSigningKey } from '#protocol/signing/signing-key';
import {
  decideClaims,
  decideOver,
  decideSent,
  decideStored,
  decideTold,
  foldStoredInvite,
  listFree,
  listToTell,
  listUnsent,
  type Invites,
  NO_INVITES,
  type StoredInvite,
} from '../decide/invites.js';
import { identifierName } from '../facts/identity-facts.js';
import { draftStoredInvite, type StoredInviteFact, storedInvitesStream } from '../facts/stored-invite-facts.js';
import { INVITE_KEYS, STORED_INVITES } from '../projections/stored-invites.projector.js';

const CAPACITY = 1_000;
const DAY_MS = 24 * 3600_000;
/** Nobody waits for longer that somebody answers a mail. */
const LIFETIME_MS = 90 * DAY_MS;
/** For so long the key of one that was claimed is good, and the homeserver of who claimed it is told: within it the room has to ask. */
const CLAIMED_MS = 7 * DAY_MS;
const KEY_BYTES = 32;

/** An invitation that was stored, and the half of its key that only who reads the mail has. */
export interface NewInvite {
  readonly token: string;
  /** Both in unpadded base64. */
  readonly publicKey: string;
  readonly privateKey: string;
}

/** An invitation whose message was not handed over yet. */
export interface UnsentInvite {
  readonly token: string;
  readonly message: string;
  readonly isWanted: boolean;
}

/** An invitation as it is asked for. */
export interface InviteToStore {
  readonly roomId: RoomId;
  readonly sender: UserId;
  /** Whether it is known that `sender` wants it. */
  readonly isVouchedFor: boolean;
  /** Makes the message to whoever has the identifier of what it is to lead to, sealed. */
  readonly sealMessage: (invite: NewInvite) => string;
}

/** Invitations of people who are known by an address alone: identity service API, "Invitation storage". Each is one user's in the end. */
@Injectable()
export class StoredInvites {
  readonly #streams: Aggregates<Invites>;

  constructor(
    @Inject(EVENT_STORE) private readonly log: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
    private readonly names: KeyedNames,
    @Inject(HELD_CLOCK) private readonly held: HeldClock,
  ) {
    const fold = { initialState: NO_INVITES, evolve: foldStoredInvite };
    this.#streams = new Aggregates({ store: log, clock, capacity: CAPACITY, ...fold });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** Begins to look after what waits, once the views show all that does. */
  lookAfter(looks: RegularLooks): void {
    looks.begin(this.views, [STORED_INVITES.name], this.log);
  }

  /** Stores one for whoever has the identifier, with the message that is to be sent to them. Throws M_LIMIT_EXCEEDED. */
  async store(threepid: Threepid, { roomId, sender, isVouchedFor, sealMessage }: InviteToStore): Promise<NewInvite> {
    const seed = randomBytes(KEY_BYTES);
    const publicKey = encodeBase64(createSigningKey(seed, '0').publicKey);
    const token = randomBytes(24).toString('base64url');
    const made = { token, publicKey, privateKey: encodeBase64(seed) };
    const now = this.clock.now();
    const message = sealMessage(made);
    const unvouched = isVouchedFor ? {} : { isUnvouched: true as const };
    const invite = { token, roomId, sender, ...unvouched, publicKey, until: now + LIFETIME_MS, message };
    const over = await this.held.now();
    const decide = (invites: Invites): StoredInviteFact[] => decideStored(invites, invite, now, over);
    await this.#change(identifierName(this.names, threepid), sender, decide);
    return made;
  }

  /** Those of one identifier of which whom they are for is to be told still, as the log has them, and whether anybody is to be told: it may be over, or claimed. */
  async listUnsent(name: string): Promise<UnsentInvite[]> {
    const { state } = await this.#streams.load(storedInvitesStream(name));
    const now = await this.held.now();
    return listUnsent(state).map(({ token, message, mxid, until }) => {
      return { token, message, isWanted: mxid === undefined && until > now };
    });
  }

  /** The message of one was handed over, or never will be. */
  async noteSent(name: string, token: string): Promise<void> {
    await this.#change(name, 'server', (invites) => decideSent(invites, token));
  }

  /** The identifiers, by their names, of which some messages are to be sent still. May name one several times. */
  async *listNamesUnsent(): AsyncGenerator<string, void> {
    for await (const page of STORED_INVITES.pages(this.views, {})) {
      for (const { value } of page) if (value.is_unsent === true) yield value.name;
    }
  }

  /** Those of one identifier that nobody has claimed yet, as the log has them. */
  async listFree(name: string): Promise<StoredInvite[]> {
    return listFree((await this.#streams.load(storedInvitesStream(name))).state, this.clock.now());
  }

  /** Some that nobody has claimed are the user's from now on; answers those of theirs that their homeserver is to be told of. */
  async claimAll(name: string, mxid: UserId, tokens: readonly string[]): Promise<StoredInvite[]> {
    const now = this.clock.now();
    const claimed = { now, until: now + CLAIMED_MS, tokens };
    return listToTell(await this.#change(name, mxid, (invites) => decideClaims(invites, mxid, claimed)), mxid, now);
  }

  /**
   * That one is the user's from now on, unless it is somebody else's already: answers it, or undefined where there is none such, or it has another key.
   */
  async claim(token: string, mxid: UserId, publicKey: Uint8Array): Promise<StoredInvite | undefined> {
    const row = await STORED_INVITES.get(this.views, [token]);
    if (row === undefined || row.public_key !== encodeBase64(publicKey)) return undefined;
    const now = this.clock.now();
    const claimed = { now, until: now + CLAIMED_MS, tokens: [token] };
    const invites = await this.#change(row.name, mxid, (known) => decideClaims(known, mxid, claimed));
    const invite = invites.get(token);
    return invite?.mxid === mxid && invite.until > now ? invite : undefined;
  }

  /** One that somebody may still claim, for the page that says what it is. */
  async find(token: string): Promise<{ readonly roomId: RoomId; readonly sender: UserId } | undefined> {
    const row = await STORED_INVITES.get(this.views, [token]);
    if (row === undefined || row.mxid !== undefined || row.until <= this.clock.now()) return undefined;
    return { roomId: row.room_id, sender: row.sender };
  }

  /** Whether a key was made for an invitation that holds still: identity service API, `GET /pubkey/ephemeral/isvalid`. In either alphabet of base64. */
  async isKeyValid(publicKey: string): Promise<boolean> {
    const bytes = decodeBase64(publicKey);
    const token = bytes === undefined ? undefined : await INVITE_KEYS.get(this.views, [encodeBase64(bytes)]);
    const row = token === undefined ? undefined : await STORED_INVITES.get(this.views, [token]);
    return row !== undefined && row.until > this.clock.now();
  }

  /** The identifiers, by their names, of which invitations are over, or claimed and their homeservers to be told. May name one several times. */
  async *listDue(): AsyncGenerator<{ readonly name: string; readonly isOver: boolean }, void> {
    for await (const page of STORED_INVITES.pages(this.views, {})) {
      const now = await this.held.now();
      for (const { value } of page) {
        const isOver = value.until <= now;
        if (isOver || (value.mxid !== undefined && value.was_told !== true)) yield { name: value.name, isOver };
      }
    }
  }

  /** The homeserver of who claimed some was told of them, or will not hear of them. */
  async noteTold(name: string, mxid: UserId, tokens: readonly string[]): Promise<void> {
    await this.#change(name, mxid, (invites) => decideTold(invites, tokens));
  }

  /** Ends all of one identifier whose time is over. */
  async endOver(name: string): Promise<void> {
    const now = await this.held.now();
    await this.#change(name, 'server', (invites) => decideOver(invites, now));
  }

  async #change(name: string, actor: string, decide: (invites: Invites) => StoredInviteFact[]): Promise<Invites> {
    const { state, position, facts } = await this.#streams.execute(
      storedInvitesStream(name),
      (invites) => decide(invites).map(draftStoredInvite),
      { actor },
    );
    if (facts.length > 0) await this.views.whenProcessed(position, [STORED_INVITES.name]);
    return state;
  }
}
