import { beforeEach, describe, expect, it } from 'vitest';
import { RendezvousSessions } from './rendezvous-sessions.js';

const refusal = (errcode: string, status: number): unknown => expect.objectContaining({ errcode, status });
const GONE = refusal('M_NOT_FOUND', 404);

describe('a rendezvous', () => {
  let time: number;
  let sessions: RendezvousSessions;
  beforeEach(() => {
    time = 0;
    sessions = new RendezvousSessions({ elapsed: () => time });
  });

  it('holds the last text, of which each has a token of its own', () => {
    const { id, sequence_token: first, expires_in_ms } = sessions.create('from A');
    expect(expires_in_ms).toBe(300_000);
    expect(sessions.get(id)).toEqual({ data: 'from A', sequence_token: first, expires_in_ms });
    const second = sessions.replace(id, first, 'from A');
    expect(second).not.toBe(first);
    time = 1_000;
    expect(sessions.get(id)).toEqual({ data: 'from A', sequence_token: second, expires_in_ms: 299_000 });
    sessions.replace(id, second, 'from B');
    time = 3_000;
    expect(sessions.ageOf(id)).toBe(2_000);
  });

  it('takes no text from who has not seen the last one', () => {
    const { id, sequence_token: first } = sessions.create('from A');
    const second = sessions.replace(id, first, 'from B');
    expect(() => sessions.replace(id, first, 'from A')).toThrow(refusal('IO_ELEMENT_MSC4388_CONCURRENT_WRITE', 409));
    expect(sessions.get(id)).toMatchObject({ data: 'from B', sequence_token: second });
  });

  it('answers the same change as before, while its text is there', () => {
    const { id, sequence_token: first } = sessions.create('from A');
    const second = sessions.replace(id, first, 'from B');
    expect(sessions.replace(id, first, 'from B')).toBe(second);
    expect(sessions.get(id).sequence_token).toBe(second);
    sessions.replace(id, second, 'from A');
    expect(() => sessions.replace(id, first, 'from B')).toThrow(refusal('IO_ELEMENT_MSC4388_CONCURRENT_WRITE', 409));
  });

  it('ends after its time, or when it is ended', () => {
    const [one, two] = [sessions.create('one').id, sessions.create('two').id];
    sessions.end(one);
    expect(() => sessions.get(one)).toThrow(GONE);
    expect(() => sessions.end(one)).toThrow(GONE);
    time = 299_999;
    expect(sessions.get(two).data).toBe('two');
    time = 300_000;
    expect(() => sessions.get(two)).toThrow(GONE);
    expect(() => sessions.replace(two, '', '')).toThrow(GONE);
  });

  it('holds no more than 4096 bytes', () => {
    const { id, sequence_token: token } = sessions.create('é'.repeat(2048));
    expect(() => sessions.create('é'.repeat(2049))).toThrow(refusal('M_TOO_LARGE', 413));
    expect(() => sessions.replace(id, token, 'x'.repeat(4097))).toThrow(refusal('M_TOO_LARGE', 413));
  });
});
