import { beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import { RATE_LIMITS } from '#config/rate-limits';
import { RateLimits } from '#http/rate-limits';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Accounts } from '../accounts.js';
import type { PasswordHasher } from '../credentials/password-hasher.js';
import type { ThreepidClaims } from '../threepids/threepid-claims.js';
import { PasswordAuthorities, TooManyGuesses } from './password-authorities.js';
import { PasswordCheck } from './password-check.js';

const ALICE = '@alice:example.org' as UserId;
const AWAY = new MatrixError('M_UNKNOWN', 'The directory of users does not answer', { status: 502 });
const CROWDED = new MatrixError('M_LIMIT_EXCEEDED', 'Too many ask for this at once');
const { burst } = RATE_LIMITS.password;

interface Stops {
  readonly hasher?: MatrixError;
  readonly directory?: MatrixError;
}

describe('guesses of a password', () => {
  let passwordHash: string | undefined;
  /** What stops whom as they are to look at a password. */
  let stops: Stops;
  let check: PasswordCheck;
  let asked: UserId[];
  beforeEach(() => {
    passwordHash = 'right';
    [stops, asked] = [{}, []];
    const authorities = new PasswordAuthorities();
    authorities.add({
      isFor: async () => true,
      async verify(userId) {
        if (stops.directory !== undefined) throw stops.directory;
        asked.push(userId);
        return undefined;
      },
    });
    const config = loadConfig({});
    check = new PasswordCheck(
      { load: async () => ({ passwordHash }) } as unknown as Accounts,
      {
        async verify(hashed: string | undefined, password: string) {
          if (stops.hasher !== undefined) throw stops.hasher;
          return hashed === password;
        },
      } as PasswordHasher,
      config,
      new RateLimits(config, { elapsed: () => 0 }),
      {} as ThreepidClaims,
      authorities,
    );
  });

  const attempt = (password: string) => check.verify({ userId: ALICE, password });
  const guess = () => attempt('wrong').catch((error: unknown) => error);

  it('are counted where they were looked at here, though the directory could not be asked', async () => {
    stops = { directory: AWAY };
    for (let n = 0; n < burst; n++) expect(await guess()).toBe(AWAY);
    await expect(attempt('right')).rejects.toMatchObject({ errcode: 'M_LIMIT_EXCEEDED' });
  });

  it.each<[string, Stops, string | undefined]>([
    ['a directory that is away, of a password that is there alone', { directory: AWAY }, undefined],
    ['too many who wait', { hasher: CROWDED }, 'right'],
  ])('are not counted where nobody looked at them: %s', async (_, by, hash) => {
    [stops, passwordHash] = [by, hash];
    for (let n = 0; n < burst * 2; n++) expect(await guess()).toBe(by.directory ?? by.hasher);
    [stops, passwordHash] = [{}, 'right'];
    expect(await attempt('right')).toEqual({ userId: ALICE, passwordHash: 'right' });
  });

  describe('by an address', () => {
    const by = (userId: UserId | undefined) =>
      check.verify({ userId, countedAs: 'email a@mail.example', password: 'wrong' }).catch((error: unknown) => error);

    it('are looked at in the directory also where it is nobody’s, as those of a name that nobody has', async () => {
      expect([await by(ALICE), await by(undefined), await by(undefined)]).toEqual([undefined, undefined, undefined]);
      expect(asked).toEqual([
        ALICE,
        expect.stringMatching(/^@[0-9a-f]{24}:/),
        expect.stringMatching(/^@[0-9a-f]{24}:/),
      ]);
      expect(new Set(asked).size).toBe(3);
    });

    it.each([
      ['here', 'right'],
      ['in the directory', undefined],
    ])('say nothing of whose it is where the directory is away: of somebody whose password is %s', async (_, hash) => {
      [stops, passwordHash] = [{ directory: AWAY }, hash];
      const answers = async (userId: UserId | undefined): Promise<unknown[]> => {
        const got: unknown[] = [];
        for (let n = 0; n <= burst; n++) {
          got.push(
            await check.verify({ userId, countedAs: `of ${userId}`, password: 'wrong' }).catch((e: unknown) => e),
          );
        }
        return got;
      };
      expect(await answers(ALICE)).toEqual(await answers(undefined));
    });

    it('are wrong, and no more is said, where passwords of whom it is of are guessed by another name', async () => {
      stops = { directory: new TooManyGuesses(CROWDED) };
      expect([await by(ALICE), await guess()]).toEqual([undefined, stops.directory]);
      stops = { directory: CROWDED };
      expect([await by(ALICE), await by(undefined)]).toEqual([CROWDED, CROWDED]);
    });
  });
});
