import type { LookupAddress, LookupOptions } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { makeLookUp, type NameSources } from './look-up.js';

/** What name servers and the system know: addresses, or how they fail. */
interface Known {
  readonly v4?: string[] | string;
  readonly v6?: string[] | string;
  readonly system?: string;
}

function sourcesOf({ v4 = 'ENODATA', v6 = 'ENODATA', system }: Known, asked: string[]): NameSources {
  const say = async (how: string, answer: string[] | string): Promise<string[]> => {
    asked.push(how);
    if (typeof answer === 'string') throw Object.assign(new Error(`query ${answer}`), { code: answer });
    return answer;
  };
  return {
    resolve4: () => say('v4', v4),
    resolve6: () => say('v6', v6),
    lookup: async () => {
      const [address = ''] = await say('system', system === undefined ? 'ENOTFOUND' : [system]);
      return [{ address, family: 4 }];
    },
  };
}

async function lookUp(name: string, known: Known, options: LookupOptions = { all: true }): Promise<unknown[]> {
  const asked: string[] = [];
  const answer = await new Promise<unknown>((resolve) => {
    makeLookUp(sourcesOf(known, asked))(name, options, (error, found, family) => {
      const all = found as string | LookupAddress[];
      if (error !== null) resolve(error.code);
      else resolve(typeof all === 'string' ? [all, family] : all.map(({ address }) => address).join());
    });
  });
  return [answer, asked.join()];
}

describe('the addresses of a name', () => {
  it('are what name servers say, of both kinds', async () => {
    const known = { v4: ['1.1.1.1', '1.1.1.2'], v6: ['2a00::1'], system: '9.9.9.9' };
    expect(await lookUp('a.example', known)).toEqual(['2a00::1,1.1.1.1,1.1.1.2', 'v6,v4']);
    expect(await lookUp('a.example', known, {})).toEqual([['2a00::1', 6], 'v6,v4']);
    expect(await lookUp('a.example', known, { family: 4 })).toEqual([['1.1.1.1', 4], 'v6,v4']);
    expect(await lookUp('a.example', { ...known, v6: 'ESERVFAIL' })).toEqual(['1.1.1.1,1.1.1.2', 'v6,v4']);
  });

  it.each(['ENOTFOUND', 'ENODATA', 'ECONNREFUSED'])(
    'are what the system knows where name servers say %s',
    async (code) => {
      expect(await lookUp('a.example', { v4: code, v6: code, system: '9.9.9.9' })).toEqual(['9.9.9.9', 'v6,v4,system']);
      expect(await lookUp('a.example', { v4: code, v6: code })).toEqual(['ENOTFOUND', 'v6,v4,system']);
    },
  );

  it('are what the system knows of a name without a dot', async () => {
    expect(await lookUp('localhost', { v4: ['1.1.1.1'], system: '127.0.0.1' })).toEqual(['127.0.0.1', 'system']);
  });

  it.each(['ETIMEOUT', 'ESERVFAIL'])('take no thread of this process where name servers say %s', async (code) => {
    expect(await lookUp('a.example', { v4: code, v6: 'ENODATA', system: '9.9.9.9' })).toEqual([code, 'v6,v4']);
  });

  it('are none of a kind that the name does not have', async () => {
    expect(await lookUp('a.example', { v4: ['1.1.1.1'] }, { all: true, family: 6 })).toEqual(['ENOTFOUND', 'v6,v4']);
  });
});
