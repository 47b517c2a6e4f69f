import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { NO_CHANGES } from '#push/rules/push-rule-changes';
import { foldPushRuleFact } from '#push/rules/fold-push-rules';
import { project, recordFacts, type StreamFact } from '#testing/project';
import { NO_ACCOUNT } from '../decide/account.js';
import { foldAccountFact } from '../decide/fold-facts.js';
import { accountsProjector } from '../projections/accounts.projector.js';
import { accountProjectors } from '../projections/account-projectors.js';

/**
 * A life of facts as logs hold them since schema 1, for what projectors make of them. These files are never changed: a new shape gets
 * a new file. Each type by itself is in `apps/homeserver/golden`.
 */
const golden = JSON.parse(readFileSync(new URL('golden/user-stream-1.json', import.meta.url), 'utf8')) as Pick<
  StreamFact,
  'type' | 'data'
>[];
const facts = golden.map((fact): StreamFact => ({ ...fact, stream: 'user-@alice:example.org' }));

describe('the facts of schema 1', () => {
  it('still make the account that they made', () => {
    const account = recordFacts(facts).reduce(foldAccountFact, NO_ACCOUNT);
    expect({
      ...account,
      devices: [...account.devices],
      profile: [...account.profile],
      readers: [...account.readers],
      threepids: [...account.threepids],
      filters: [...account.filters],
      successors: [...account.successors],
    }).toEqual({
      exists: true,
      guest: false,
      byService: false,
      admin: true,
      deactivated: false,
      locked: false,
      suspended: false,
      rateLimit: undefined,
      passwordHash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$b3RoZXI',
      devices: [
        [
          'PHONE',
          {
            display_name: 'Phone',
            created_ts: 2,
            login: 1,
            current: { token_hash: 'a2', refresh_hash: 'r2', expires_at: 1_700_010_800_000 },
            previous: { token_hash: 'a1', refresh_hash: 'r1', expires_at: 1_700_007_200_000 },
          },
        ],
      ],
      passwordAt: expect.any(Number),
      profile: [['displayname', { value: 'Alice', at: expect.any(Number) }]],
      readers: [],
      threepids: [],
      filters: ['YnbLpgOlYsO5lWX9'],
      successors: [],
    });
  });

  it('still say what followed the user into which room', () => {
    const text = readFileSync(new URL('golden/succession-1.json', import.meta.url), 'utf8');
    const succession = recordFacts(
      (JSON.parse(text) as typeof golden).map((fact): StreamFact => ({ ...fact, stream: 'user-@alice:example.org' })),
    );
    expect([...succession.reduce(foldAccountFact, NO_ACCOUNT).successors]).toEqual(['!new:example.org']);
  });

  it('still make the push rules that they made', () => {
    expect(recordFacts(facts).reduce(foldPushRuleFact, NO_CHANGES)).toEqual({
      own: {
        room: [],
        content: [
          {
            rule_id: 'cake',
            default: false,
            enabled: true,
            actions: ['notify', { set_tweak: 'highlight' }],
            pattern: 'cake*lie',
          },
        ],
        override: [
          {
            rule_id: 'mine',
            default: false,
            enabled: true,
            actions: [],
            conditions: [{ kind: 'event_match', key: 'type', pattern: 'm.sticker' }],
          },
          { rule_id: 'other', default: false, enabled: true, actions: [], conditions: [] },
        ],
      },
      defaults: { 'override/.m.rule.master': { enabled: true }, 'underride/.m.rule.message': { actions: [] } },
    });
  });

  it('still make the rows that they made', async () => {
    const rows: Record<string, unknown> = {};
    for (const projector of accountProjectors) Object.assign(rows, await project(projector, facts));
    const alice = '@alice:example.org';
    expect(rows).toEqual({
      [`accounts ${alice}`]: { created_ts: 1, via: 'registration-token', admin: true },
      [`devices ${alice} PHONE`]: expect.objectContaining({ display_name: 'Phone' }),
      'tokens a1': { user: alice, device: 'PHONE', expires_at: 1_700_007_200_000 },
      'tokens a2': { user: alice, device: 'PHONE', expires_at: 1_700_010_800_000, pending: true },
      'refresh-tokens r1': { user: alice, device: 'PHONE' },
      'refresh-tokens r2': { user: alice, device: 'PHONE' },
      [`profiles ${alice}`]: { displayname: 'Alice' },
      [`account-data ${alice}  m.direct`]: '0000000000000000014{"@bob:example.org":["!room:example.org"]}',
      [`account-data ${alice}  m.push_rules`]: '0000000000000000027',
      [`account-data ${alice} !room:example.org m.fully_read`]: '0000000000000000015{"event_id":"$event"}',
      [`account-data ${alice} !room:example.org m.tag`]: '0000000000000000018{"tags":{"m.favourite":{"order":0.5}}}',
      [`account-data-log ${alice} 0000000000000000014`]: ['', 'm.direct'],
      [`account-data-log ${alice} 0000000000000000015`]: ['!room:example.org', 'm.fully_read'],
      [`account-data-log ${alice} 0000000000000000018`]: ['!room:example.org', 'm.tag'],
      [`account-data-log ${alice} 0000000000000000027`]: ['', 'm.push_rules'],
      [`filters ${alice} YnbLpgOlYsO5lWX9`]: { room: { timeline: { limit: 10 } } },
    });
  });
});

describe('the facts of guests', () => {
  const guest = JSON.parse(
    readFileSync(new URL('golden/guest-stream-1.json', import.meta.url), 'utf8'),
  ) as typeof golden;
  const stream = guest.map((fact): StreamFact => ({ ...fact, stream: 'user-@guest:example.org' }));

  it.each([
    [1, { guest: true, passwordHash: undefined }, { created_ts: 1, via: 'open', guest: true }],
    [2, { guest: false, passwordHash: '$argon2id$hash' }, { created_ts: 1, via: 'open' }],
  ])('still make the account and its row, after fact %i', async (count, state, row) => {
    const known = stream.slice(0, count);
    expect(recordFacts(known).reduce(foldAccountFact, NO_ACCOUNT)).toMatchObject({ exists: true, ...state });
    expect(await project(accountsProjector, known)).toEqual({ 'accounts @guest:example.org': row });
  });
});
