import { Logger } from '@nestjs/common';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '#config/config';
import { RateLimits } from '#http/rate-limits';
import { identifierName } from '#identity/facts/identity-facts';
import { storedInvitesStream } from '#identity/facts/stored-invite-facts';
import { InvitationMessages } from '#identity/invitations/invitation-messages';
import { storedInvitesProjector } from '#identity/projections/stored-invites.projector';
import { SendInvitations } from '#identity/invitations/send-invitations';
import { StoredInvites } from '#identity/invitations/stored-invites';
import { Messengers } from '#identity/validations';
import type { RoomId, UserId } from '#kernel/ids';
import { type Mail, type Mailer, MailFailure } from '#mail/mailer';
import type { Texter } from '#phones/texter';
import type { Effect } from '#projections/effects/effect';
import type { Views } from '#projections/views';
import { generateSigningKey } from '#protocol/signing/signing-key';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts, rowsOf } from '#testing/project';
import { TEST_NAMES } from '#testing/test-names';
import { InvitationMessagesSent } from './invitation-messages.effect.js';
import { OverInvitations } from './over-invitations.effect.js';

const [ALICE, BOB] = ['@alice:a.example' as UserId, '@bob:b.example' as UserId];
const CAROL = 'carol@mail.example';
const OF = { medium: 'email', address: CAROL } as const;
const HASH = identifierName(TEST_NAMES, OF);

describe('the message of an invitation by address', () => {
  let store: MemoryEventStore;
  let rows: MemoryReadModels;
  let sent: Mail[];
  /** What the mail server does as it is given one. */
  let onSend: () => void;
  let now: number;
  let hasHeld: boolean;
  /** What is done before the views are said to have passed something for good. */
  let onKept: () => void;
  beforeEach(() => {
    [store, rows, sent, now] = [new MemoryEventStore(), new MemoryReadModels(), [], 1];
    onSend = () => {};
    hasHeld = true;
    onKept = () => {};
    vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
  });

  /** As of a start of the server: it knows what the log and the views have, and may sign with another key than before. */
  function start() {
    const views = Object.assign(rows, {
      whenProcessed: () => applyFacts(storedInvitesProjector, store.facts, rows),
      whenKept: async () => onKept(),
    }) as unknown as Views;
    const mailer = {
      isConfigured: true,
      send(mail: Mail) {
        onSend();
        sent.push(mail);
        return Promise.resolve();
      },
    } as unknown as Mailer;
    const config = loadConfig({});
    const limits = new RateLimits(config, { elapsed: () => 0 });
    const messengers = new Messengers(mailer, {} as Texter);
    const messages = new InvitationMessages(messengers, limits, config, TEST_NAMES, generateSigningKey());
    const invites = new StoredInvites(store, { now: () => now }, views, TEST_NAMES, { now: () => (hasHeld ? now : 0) });
    const logger = { warn: () => {} } as never;
    const effect = new InvitationMessagesSent(new SendInvitations(invites, messages), store, logger);
    const over = new OverInvitations(store, views);
    const invite = () => {
      const told = { threepid: OF, sender: ALICE, isVouchedFor: true } as const;
      return invites.store(OF, {
        roomId: '!room:a.example' as RoomId,
        sender: ALICE,
        isVouchedFor: true,
        sealMessage: (link) => messages.seal(told, link),
      });
    };
    return { effect, over, invites, invite };
  }

  /** What follows from all facts, as far as this effect does it. */
  async function runAll(effect: Effect): Promise<boolean[]> {
    const done: boolean[] = [];
    for (let n = 0; n < store.facts.length; n++) {
      const fact = store.facts[n]!;
      if (effect.keyOf(fact) !== undefined) done.push(await effect.run(fact, async () => true));
    }
    return done;
  }

  it('is sent, with the key that nobody else has, and is in the log no more then', async () => {
    const { effect, invite } = start();
    const { token, privateKey } = await invite();
    const before = JSON.stringify(store.facts);
    for (const secret of [CAROL, privateKey]) expect(before).not.toContain(secret);
    expect(before).toContain('"message\\":\\"');
    expect(await runAll(effect)).toEqual([true, true]);
    expect(sent).toHaveLength(1);
    expect(sent[0]!.to).toBe(CAROL);
    expect(sent[0]!.text).toContain(new URLSearchParams({ token, private_key: privateKey }).toString());
    expect(JSON.stringify(store.facts)).toContain('\\"message\\":null}');
    expect(await runAll(effect)).toEqual([false, false]);
    expect(sent).toHaveLength(1);
    const anew = new MemoryReadModels();
    await applyFacts(storedInvitesProjector, store.facts, anew);
    expect(await rowsOf(storedInvitesProjector, anew)).toEqual(await rowsOf(storedInvitesProjector, rows));
  });

  it('is sent by the next process, where the mail server was away and this one has ended', async () => {
    onSend = () => {
      throw new MailFailure('away', true);
    };
    const first = start();
    await first.invite();
    expect(await runAll(first.effect)).toEqual([true]);
    expect(sent).toEqual([]);
    const next = start();
    await next.effect.begin();
    await next.effect.look();
    onSend = () => {};
    await next.effect.look();
    next.effect.end();
    expect(sent.map(({ to }) => to)).toEqual([CAROL]);
    await runAll(next.effect);
    expect(sent).toHaveLength(1);
    expect(JSON.stringify(store.facts)).toContain('\\"message\\":null}');
  });

  it('is given up where the mail server refuses it', async () => {
    onSend = () => {
      throw new MailFailure('nobody is called so', false);
    };
    const { effect, invite } = start();
    await invite();
    expect(await runAll(effect)).toEqual([true, true]);
    expect(JSON.stringify(store.facts)).toContain('\\"message\\":null}');
  });

  it.each(['claimed', 'over'])('is not sent once the invitation is %s', async (how) => {
    const { effect, invites, invite } = start();
    const { token } = await invite();
    if (how === 'claimed') await invites.claimAll(HASH, BOB, [token]);
    else now = Infinity;
    await runAll(effect);
    expect(sent).toEqual([]);
    expect(JSON.stringify(store.facts)).toContain('\\"message\\":null}');
  });

  it('is sent, and the invitation stays, where it is over by a clock that may have jumped ahead', async () => {
    const { effect, invites, invite } = start();
    const { token } = await invite();
    now += 365 * 24 * 3600_000;
    hasHeld = false;
    await runAll(effect);
    expect(sent).toHaveLength(1);
    const due: unknown[] = [];
    for await (const each of invites.listDue()) due.push(each);
    expect(due).toEqual([]);
    await invites.endOver(HASH);
    await invite();
    now -= 365 * 24 * 3600_000;
    expect((await invites.listFree(HASH)).map((one) => one.token)).toContain(token);
    hasHeld = true;
    now += 365 * 24 * 3600_000;
    await invites.endOver(HASH);
    expect((await invites.listFree(HASH)).map((one) => one.token)).not.toContain(token);
  });

  it('goes with all that was said of the invitation once that is over, and with it whose the address was', async () => {
    const { effect, over, invites, invite } = start();
    const stream = storedInvitesStream(HASH);
    const left = async (): Promise<string> => {
      const facts: string[] = [];
      for await (const { type, data } of store.readStream(stream)) facts.push(`${type} ${data}`);
      return facts.join('\n');
    };
    const first = await invite();
    await runAll(effect);
    await invites.claimAll(HASH, BOB, [first.token]);
    const second = await invite();
    await runAll(effect);
    now += 8 * 24 * 3600_000;
    await invites.endOver(HASH);
    await runAll(over);
    await runAll(effect);
    expect(await left()).not.toContain(BOB);
    expect(await left()).toContain(`invite-stored {"token":"${second.token}"`);
    expect(await invites.listFree(HASH)).toMatchObject([{ token: second.token }]);
    now += 90 * 24 * 3600_000;
    await invites.endOver(HASH);
    await runAll(effect);
    await runAll(over);
    expect(await left()).toBe(`invite-ended {"token":"${second.token}"}`);
    expect(await rowsOf(storedInvitesProjector, rows)).toEqual({});
    await invite();
    expect(await invites.listFree(HASH)).toHaveLength(1);
  });

  it('goes before what ended the invitation, for which the views are waited: what begins to be filled meanwhile has none that is over', async () => {
    const { over, invites, invite } = start();
    const tokens: string[] = [];
    for (const _ of [1, 2]) {
      tokens.push((await invite()).token);
      now += 90 * 24 * 3600_000;
      await invites.endOver(HASH);
    }
    const waitedWith: string[][] = [];
    onKept = () =>
      waitedWith.push(
        store.facts.map(({ type, data }) => `${type} ${tokens.indexOf((JSON.parse(data) as { token: string }).token)}`),
      );
    const ends = store.facts.filter((fact) => over.keyOf(fact) !== undefined);
    expect(await over.run(ends.at(-1)!)).toBe(true);
    expect(waitedWith).toEqual([['invite-ended 0', 'invite-stored 1', 'invite-ended 1']]);
    expect(store.facts.map(({ type }) => type)).toEqual(['invite-ended']);
    expect(await over.run(ends.at(-1)!)).toBe(false);
  });
});
