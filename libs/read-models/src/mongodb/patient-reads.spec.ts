import { MongoError, MongoServerError } from 'mongodb';
import { expect, it } from 'vitest';
import { Outage } from '#kernel/outage';
import { ViewsUnavailable } from '../read-model-errors.js';
import type { Way } from './connect.js';
import { PatientReads } from './patient-reads.js';

const locked = (): MongoError => new MongoServerError({ code: 1, message: 'database is locked' });

function patientReads(lost: string[]): PatientReads {
  const outage = new Outage<Way>({ onLost: (reason) => lost.push(reason) });
  return new PatientReads(outage, () => Promise.reject(locked()));
}

it('tries a read again that is refused, and takes no mistake of ours for a refusal', async () => {
  const lost: string[] = [];
  const reads = patientReads(lost);
  let tries = 0;
  const answer = await reads.read(async () => {
    if (tries++ === 0) throw locked();
    return 'answer';
  });
  expect([answer, tries]).toEqual(['answer', 2]);
  await expect(reads.read(() => Promise.reject(new TypeError('no such property')))).rejects.toThrow(TypeError);
  expect(lost).toEqual([]);
});

it('says once that reads are refused, and makes nobody wait then who comes later', async () => {
  const lost: string[] = [];
  const reads = patientReads(lost);
  let tries = 0;
  const refused = (): Promise<never> => (tries++, Promise.reject(locked()));
  await expect(reads.read(refused)).rejects.toThrow(ViewsUnavailable);
  const before = tries;
  await expect(reads.read(refused)).rejects.toThrow(ViewsUnavailable);
  expect(tries).toBe(before + 1);
  expect(lost).toEqual(['database is locked']);
  reads.close();
});
