import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeBase64, encodeBase64 } from '#protocol/signing/base64';
import { createSigningKey } from '#protocol/signing/signing-key';
import { endAtEachStep } from '#testing/end-at-each-step';
import { type MailServer, startMailServer } from '#testing/mail-server';
import type { SyncApp } from '#testing/sync-app';
import { TEST_NAMES } from '#testing/test-names';
import { identifierName } from '#identity/facts/identity-facts';
import { storedInvitesStream } from '#identity/facts/stored-invite-facts';

const MINUTES = 10 * 60_000;

let mails: MailServer;
beforeAll(async () => void (mails = await startMailServer()));
afterAll(() => mails.close());

describe('a process that ends', () => {
  it(
    'while somebody is invited by address leaves it to the next one to write to them, by a key that the invitation has',
    async () => {
      let times = 0;
      const addressOf = (time: number): string => `carol${time}@mail.example`;
      const steps = await endAtEachStep({
        settings: {
          ANNALS_ROLES: 'all,identity',
          ANNALS_SMTP_URL: mails.url,
          ANNALS_PUBLIC_URL: 'https://id.example',
        },
        prepare: async () => {},
        async act(app: SyncApp) {
          const body = {
            medium: 'email',
            address: addressOf(++times),
            room_id: '!room:a.example',
            sender: '@eve:a.example',
          };
          return (await app.call('POST', '/_matrix/identity/api/v1/store-invite', undefined, body)).body as {
            readonly token: string;
          };
        },
        async check(app, _, answer) {
          const address = addressOf(times);
          const stream = storedInvitesStream(identifierName(TEST_NAMES, { medium: 'email', address }));
          const facts = async (): Promise<string> => JSON.stringify(await app.factsOf(stream));
          const kept = (await app.factsOf(stream)).filter(({ type }) => type === 'invite-stored');
          if (answer !== undefined) expect(kept).toHaveLength(1);
          if (kept.length === 0) return;
          const stored = JSON.parse(kept[0]!.data) as { readonly token: string; readonly public_key: string };
          const { text } = await mails.waitFor(address);
          const url = new URL(/https:\/\/\S+invitation\?\S+/.exec(text)![0]);
          expect(url.searchParams.get('token')).toBe(stored.token);
          const seed = decodeBase64(url.searchParams.get('private_key')!)!;
          expect(encodeBase64(createSigningKey(seed, '0').publicKey)).toBe(stored.public_key);
          await expect.poll(facts).toContain('\\"message\\":null}');
        },
      });
      expect(steps).toBeGreaterThan(3);
    },
    MINUTES,
  );
});
